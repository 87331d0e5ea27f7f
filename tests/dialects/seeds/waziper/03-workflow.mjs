// Seed: waziper-instance-ids, "Workflow untuk Create Session Baru".
// It presumes a `token`, which `preload.mjs` gives it.

// 1. Generate instance_id baru
const response1 = await fetch('http://localhost:8000/generate-instance-id');
const data1 = await response1.json();
const newInstanceId = data1.instance_id;

console.log('New instance ID:', newInstanceId);
// Output: "LRKZ4ABCDEF"

// 2. Request QR code dengan instance_id baru
const response2 = await fetch(
  `http://localhost:8000/get_qrcode?access_token=${token}&instance_id=${newInstanceId}`
);
const data2 = await response2.json();

console.log('QR Code:', data2.qrcode);
// Output: QR code untuk instance LRKZ4ABCDEF
