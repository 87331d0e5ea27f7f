import { sendWhatsAppMessage, sendWhatsAppMessageWithSession } from '@/lib/whatsapp';

// Method 1: Dengan parameter sessionName
await sendWhatsAppMessage({
  to: '+6281234567890',
  message: 'Hello from marketing session!',
  sessionName: 'Marketing'
});

// Method 2: Menggunakan helper function
await sendWhatsAppMessageWithSession('Customer Support', '+6281234567890', 'Hello from support!');
