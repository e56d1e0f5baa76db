
// The page around it: keeps answers in the browser, sends them where it is served, and saves a file.
const data = JSON.parse(document.getElementById('study').textContent);
const address = document.querySelector('meta[name=answers]').content;
const KEY = `pxs-verify-${data.study}-${data.rater}`;
const at = id => document.getElementById(id);
let answers = {}, unsent = new Set(), sending = false;

try {
  const kept = JSON.parse(localStorage.getItem(KEY)) || {};
  answers = kept.answers || {};
  unsent = new Set(address ? kept.unsent || [] : []);
} catch { /* nothing is kept where the browser allows no storage */ }

function keep() {
  try { localStorage.setItem(KEY, JSON.stringify({ answers, unsent: [...unsent] })); } catch { /* as above */ }
}

const call = (options = {}) => fetch(address, { signal: AbortSignal.timeout(15000), ...options });

function report() {
  at('sent').textContent = unsent.size ? `${unsent.size} answers wait to be sent.` : 'All answers have arrived.';
}

async function sendAll() {
  if (!address) return;
  report();
  if (sending) return;
  sending = true;
  try {
    for (const id of [...unsent]) {
      const body = JSON.stringify(answers[id]);
      const response = await call({ method: 'POST', body, headers: { 'Content-Type': 'application/json' } });
      if (!response.ok) throw new Error(String(response.status));
      if (JSON.stringify(answers[id]) === body) unsent.delete(id);
      keep();
    }
  } catch { /* the next round tries again */ }
  sending = false;
  report();
}

function take(said) {
  if (address) unsent.add(said.item);
  keep();
  sendAll();
}

function save() {
  const content = JSON.stringify({ study: data.study, rater: data.rater, answers: Object.values(answers) }, null, 1);
  const link = element('a', { download: `verdicts-${data.rater}.json`,
    href: URL.createObjectURL(new Blob([`${content}\n`], { type: 'application/json' })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

async function forget() {
  if (!confirm('Delete all your answers? This cannot be undone.')) return;
  if (address) {
    const done = await call({ method: 'DELETE' }).catch(() => ({ ok: false }));
    if (!done.ok) {
      at('sent').textContent = 'The answers could not be deleted: the computer that has them does not answer. Try again later.';
      return;
    }
  }
  for (const item of Object.keys(answers)) delete answers[item];
  unsent.clear();
  try { localStorage.removeItem(KEY); } catch { /* nothing was kept */ }
  at('sent').textContent = '';
  mountAll();
}

function mountAll() {
  mount(at('verify'), data, { answers, send: take, ended: () => { at('save').focus(); } });
}

async function begin() {
  if (address) {
    const response = await call().catch(() => null);
    if (response?.ok) for (const one of await response.json()) if (!unsent.has(one.item)) answers[one.item] = one;
    setInterval(sendAll, 5000);
  }
  at('consent').hidden = true;
  at('work').hidden = false;
  mountAll();
  sendAll();
}

for (const place of document.querySelectorAll('[data-fill]')) {
  place.textContent = { count: data.items.length, rater: data.rater }[place.dataset.fill];
}
document.body.classList.toggle('connected', Boolean(address));
at('save').addEventListener('click', save);
at('delete').addEventListener('click', forget);
at('start').addEventListener('click', begin);
at('start').focus();
