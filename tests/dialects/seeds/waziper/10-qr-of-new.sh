# Seed: waziper-instance-ids, "Test 2: Verify QR Code Generation".

# Generate instance ID
NEW_ID=$(curl -s http://localhost:8000/generate-instance-id | jq -r '.instance_id')

# Generate QR code
curl "http://localhost:8000/get_qrcode?access_token=YOUR_TOKEN&instance_id=$NEW_ID" | jq

# Expected: QR code generated for $NEW_ID (not old instance)
