import { 
  startWhatsAppSession, 
  getActiveSessionIds, 
  isSessionConnected,
  getSessionStatus,
  initializeAllSessions
} from '@/lib/whatsapp';

// Start session baru (akan menampilkan QR code di console)
await startWhatsAppSession('customer_support');

// Cek apakah session terhubung
const connected = isSessionConnected('customer_support');

// Dapatkan semua session ID yang aktif
const activeIds = getActiveSessionIds();

// Dapatkan status session
const status = await getSessionStatus('Customer Support');

// Initialize semua session dari database
await initializeAllSessions();

// Not a line of theirs: what came of it, for the test.
export { activeIds, connected, status };
