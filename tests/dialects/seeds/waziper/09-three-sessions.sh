# Seed: waziper-instance-ids, "Test 1: Verify Multiple Sessions".

# Generate 3 different sessions
ID1=$(curl -s http://localhost:8000/generate-instance-id | jq -r '.instance_id')
ID2=$(curl -s http://localhost:8000/generate-instance-id | jq -r '.instance_id')
ID3=$(curl -s http://localhost:8000/generate-instance-id | jq -r '.instance_id')

echo "Instance 1: $ID1"
echo "Instance 2: $ID2"
echo "Instance 3: $ID3"

# Expected: All 3 IDs are different!
