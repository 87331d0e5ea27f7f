# Seed: waziper-instance-ids, "GET /generate-instance-id".

curl http://localhost:8000/generate-instance-id
