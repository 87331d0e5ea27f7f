# Seed: waziper-instance-ids, "Step 1: Generate Instance ID Baru".

# Generate instance ID baru
curl http://localhost:8000/generate-instance-id
