// Seed: waziper-instance-ids, "Frontend Integration Example".

async function createNewWhatsAppSession(accessToken) {
  try {
    // Step 1: Generate unique instance ID
    const instanceResponse = await fetch(
      'http://api.example.com/generate-instance-id'
    );
    const instanceData = await instanceResponse.json();
    
    if (instanceData.status !== 'success') {
      throw new Error('Failed to generate instance ID');
    }
    
    const instanceId = instanceData.instance_id;
    console.log('Created new instance:', instanceId);
    
    // Step 2: Request QR code
    const qrResponse = await fetch(
      `http://api.example.com/get_qrcode?access_token=${accessToken}&instance_id=${instanceId}`
    );
    const qrData = await qrResponse.json();
    
    if (qrData.status !== 'success') {
      throw new Error('Failed to generate QR code');
    }
    
    return {
      instanceId: instanceId,
      qrCode: qrData.qrcode
    };
    
  } catch (error) {
    console.error('Error creating session:', error);
    throw error;
  }
}

// Usage:
const session = await createNewWhatsAppSession('your-access-token');
console.log('Instance ID:', session.instanceId);
console.log('QR Code:', session.qrCode);
// Display QR code to user for scanning
