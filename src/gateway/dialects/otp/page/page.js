// Shows the current code, asks for the next one when it expires, and says when the session is linked.
const main = document.querySelector('main');
const status = document.querySelector('#status');
const code = document.querySelector('#code');
const key = new URLSearchParams(location.search).get('key');
const base = location.pathname.replace(/\/qr-page$/, '');
const headers = key ? { 'X-API-Key': key } : {};
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Whether the phone's owner has logged the session out since this page saw it linked or was opened.
let loggedOut = false;

function show(state, words, picture) {
  main.dataset.state = state;
  status.textContent = words;
  code.hidden = !picture;
  if (picture) code.src = picture;
  else code.removeAttribute('src');
}

async function ask(path) {
  const response = await fetch(base + path, { headers, cache: 'no-store' });
  const answer = await response.json();
  return { status: response.status, ...answer };
}

async function look() {
  const now = await ask('/status');
  if (!now.success) return show('error', now.message);
  if (now.data.isConnected) {
    loggedOut = false;
    return show('connected', 'Terhubung. Halaman ini boleh ditutup.');
  }
  if (now.data.status === 'logged_out') loggedOut = true;
  const answer = await ask('/qr');
  if (answer.success && answer.data.qr) {
    const again = 'Session ini dikeluarkan dari ponsel. Pindai QR code ini untuk menghubungkan lagi';
    return show('scan', loggedOut ? again : 'Pindai QR code ini', answer.data.qr);
  }
  return show('waiting', answer.message);
}

for (;;) {
  try {
    await look();
  } catch {
    show('error', 'Server tidak dapat dihubungi, mencoba lagi…');
  }
  await pause(main.dataset.state === 'connected' ? 5000 : 1000);
}
