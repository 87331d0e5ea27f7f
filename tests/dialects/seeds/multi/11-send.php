<?php
// Seed: multi-session-api-keys, "Code Examples: PHP".

$apiUrl = 'http://localhost:3000';
$apiKey = 'wa_abc123';

function sendFromSales($number, $message) {
    global $apiUrl, $apiKey;
    
    $ch = curl_init("$apiUrl/api/send-message");
    curl_setopt($ch, CURLOPT_RETURNTRANSFER, true);
    curl_setopt($ch, CURLOPT_POST, true);
    curl_setopt($ch, CURLOPT_HTTPHEADER, [
        'Content-Type: application/json',
        "X-API-Key: $apiKey"
    ]);
    curl_setopt($ch, CURLOPT_POSTFIELDS, json_encode([
        'sessionId' => 'sales',
        'number' => $number,
        'message' => $message
    ]));
    
    $response = curl_exec($ch);
    curl_close($ch);
    return json_decode($response);
}

function listSessions() {
    global $apiUrl, $apiKey;
    
    $ch = curl_init("$apiUrl/api/sessions");
    curl_setopt($ch, CURLOPT_RETURNTRANSFER, true);
    curl_setopt($ch, CURLOPT_HTTPHEADER, [
        "X-API-Key: $apiKey"
    ]);
    
    $response = curl_exec($ch);
    curl_close($ch);
    return json_decode($response)->sessions;
}

// Example usage
sendFromSales('628123456789', 'Hello from Sales!');
$sessions = listSessions();
print_r($sessions);
?>
