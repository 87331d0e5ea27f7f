// Seed: waziper-instance-ids, "Instance ID Generation Algorithm".

const timestamp = Date.now().toString(36).toUpperCase();
// Date.now() = 1732370234567
// toString(36) = "lrkz4abcd" → Base36 encoding (0-9, a-z)
// toUpperCase() = "LRKZ4ABCD"

const random = Math.random().toString(36).substring(2, 8).toUpperCase();
// Math.random() = 0.123456789
// toString(36) = "0.4fzyo" 
// substring(2, 8) = "4fzyo" → Take 6 chars after "0."
// toUpperCase() = "4FZYO"

const instance_id = timestamp + random;
// Result: "LRKZ4ABCD4FZYO" (13 characters)

// From here on not of the seed: the served id holds a moment of the same notation.
const answer = await (await fetch('http://localhost:8000/generate-instance-id')).json();
const served = parseInt(answer.instance_id.slice(0, -6), 36);
console.log('own:', instance_id);
console.log('served:', answer.instance_id);
console.log('seconds between them:', Math.floor(Math.abs(served - parseInt(timestamp, 36)) / 10_000));
