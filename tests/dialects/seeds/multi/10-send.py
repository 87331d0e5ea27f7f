# Seed: multi-session-api-keys, "Code Examples: Python".

import requests

API_URL = 'http://localhost:3000'
API_KEY = 'wa_abc123'

def send_from_sales(number, message):
    response = requests.post(
        f'{API_URL}/api/send-message',
        json={
            'sessionId': 'sales',
            'number': number,
            'message': message
        },
        headers={'X-API-Key': API_KEY}
    )
    return response.json()

def send_from_support(number, message):
    response = requests.post(
        f'{API_URL}/api/send-message',
        json={
            'sessionId': 'support',
            'number': number,
            'message': message
        },
        headers={'X-API-Key': API_KEY}
    )
    return response.json()

def list_sessions():
    response = requests.get(
        f'{API_URL}/api/sessions',
        headers={'X-API-Key': API_KEY}
    )
    return response.json()['sessions']

# Example usage
send_from_sales('628123456789', 'Hello from Sales!')
send_from_support('628123456789', 'Hello from Support!')

sessions = list_sessions()
print('Active sessions:', sessions)
