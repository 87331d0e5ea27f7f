import { sendWhatsAppMessage } from '@/lib/whatsapp';

// Akan menggunakan session default
await sendWhatsAppMessage({
  to: '+6281234567890',
  message: 'Hello from default session!'
});
