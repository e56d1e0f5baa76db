'use strict';
const study = JSON.parse(document.getElementById('study').textContent);
const address = document.querySelector('meta[name=answers]').content;  // where answers are sent; empty offline
const KEY = `pxs-study-${study.study}-${study.rater}`;
const at = id => document.getElementById(id);
const SCALES = {
  rating: {
    continuity: ['Does the expression grow evenly from the first picture to the last?', 'no: it jumps, stays or goes back', 'yes, in even steps'],
    identity: ['Is it the same person in all pictures?', 'somebody else', 'clearly the same'],
  },
  pair: {
    continuity: ['In which row does the expression grow more evenly?'],
    identity: ['Which row stays more the same person?'],
  },
};
const NUMBERS = ['1', '2', '3', '4', '5'].map(n => [Number(n), n]);
const SIDES = [['first', 'First row'], ['same', 'No difference'], ['second', 'Second row']];

const callServer = (options = {}) => fetch(address, { signal: AbortSignal.timeout(15000), ...options });

let answers = {}, unsent = new Set(), index = 0, shownAt = 0, agreed = false;

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY)) || {};
    answers = kept.answers || {};
    unsent = new Set(address ? kept.unsent || [] : []);
    agreed = Boolean(kept.agreed);
  } catch { /* nothing is kept where the browser allows no storage */ }
}

function keep() {
  try {
    localStorage.setItem(KEY, JSON.stringify({ answers, unsent: [...unsent], agreed }));
  } catch { /* as above: the page must then stay open */ }
}

const kind = item => (item.rows.length === 2 ? 'pair' : 'rating');
const isWhole = item => Object.keys(SCALES.rating).every(scale => answers[item.id]?.[scale] !== undefined);

function show(section) {
  for (const id of ['consent', 'question', 'end']) at(id).hidden = id !== section;
  at('footer').hidden = section === 'consent';
  window.scrollTo(0, 0);
  at(section).querySelector('h1').focus();
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function picture(number, label, alt, name = '') {
  return element('figure', { class: name },
    element('img', { src: study.pictures[number], alt }), element('figcaption', {}, label));
}

function row(item, pictures, title) {
  const made = element('div', { class: 'row', role: 'group', 'aria-label': title || 'Pictures' });
  if (title) made.append(element('h2', {}, title));
  made.append(picture(item.source, 'the person', 'The person before any change', 'person'));
  const last = pictures.length;
  pictures.forEach((number, i) => made.append(
    picture(number, i === 0 ? '1 (none)' : i === last - 1 ? `${last} (full)` : `${i + 1}`, `Picture ${i + 1} of ${last}`)));
  return made;
}

function scale(item, name) {
  const [question, low, high] = SCALES[kind(item)][name];
  const choices = element('div', { class: 'choices' });
  for (const [value, label] of kind(item) === 'pair' ? SIDES : NUMBERS) {
    const input = element('input', { type: 'radio', name, value });
    const end = low && (value === 1 ? low : value === 5 ? high : '');
    if (end) input.setAttribute('aria-label', `${label}: ${end}`);
    input.checked = answers[item.id]?.[name] === value;
    choices.append(element('label', {}, input, label));
  }
  const made = element('fieldset', {}, element('legend', {}, question), choices);
  if (low) made.append(element('div', { class: 'ends', 'aria-hidden': 'true' },
    element('span', {}, `1: ${low}`), element('span', {}, `5: ${high}`)));
  return made;
}

function ask(number) {
  index = number;
  const item = study.items[index];
  at('progress').max = study.items.length;
  at('progress').value = study.items.filter(isWhole).length;
  at('heading').textContent = `Question ${index + 1} of ${study.items.length}: from neutral to ${item.expression}`;
  const titles = item.rows.length === 2 ? ['First row', 'Second row'] : [''];
  at('rows').replaceChildren(...item.rows.map((pictures, i) => row(item, pictures, titles[i])));
  at('scales').replaceChildren(...Object.keys(SCALES.rating).map(name => scale(item, name)));
  at('back').disabled = index === 0;
  at('problem').textContent = '';
  shownAt = performance.now();
  show('question');
}

function note(name, value) {
  const item = study.items[index], known = answers[item.id] || { item: item.id, seconds: 0 };
  const passed = (performance.now() - shownAt) / 1000;
  shownAt = performance.now();
  answers[item.id] = { ...known, [name]: value, seconds: Math.round(10 * (known.seconds + passed)) / 10 };
  at('problem').textContent = '';
  if (isWhole(item) && address) unsent.add(item.id);
  keep();
}

function proceed() {
  const item = study.items[index];
  if (!isWhole(item)) {
    at('problem').textContent = 'Please answer both questions.';
    const open = [...at('scales').children].find(set => !set.querySelector(':checked'));
    open.querySelector('input').focus();
    return;
  }
  send();
  const open = study.items.findIndex(other => !isWhole(other));
  if (open < 0) finish();
  else ask(index + 1 < study.items.length ? index + 1 : open);
}

function finish() {
  show('end');
  send();
}

function toFile() {
  const whole = study.items.filter(isWhole).map(item => answers[item.id]);
  return JSON.stringify({ study: study.study, rater: study.rater, answers: whole }, null, 1) + '\n';
}

function save() {
  const link = element('a', { download: `answers-${study.rater}.json`,
    href: URL.createObjectURL(new Blob([toFile()], { type: 'application/json' })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  at('state').textContent = 'Your file is among your downloads. Now send it.';
}

function report() {
  if (!address) return;
  at('sent').textContent = unsent.size
    ? `${unsent.size} answers are not sent yet. Keep this page open: it tries again.`
    : 'All your answers have arrived. You can close this page.';
  at('state').textContent = unsent.size ? `${unsent.size} answers wait to be sent.` : '';
}

let sending = false;
async function send() {
  report();
  if (!address || sending) return;
  sending = true;
  try {
    for (const id of [...unsent]) {
      const body = JSON.stringify(answers[id]);
      const response = await callServer({ method: 'POST', body, headers: { 'Content-Type': 'application/json' } });
      if (!response.ok) throw new Error(String(response.status));
      if (answers[id] && JSON.stringify(answers[id]) === body) unsent.delete(id);
      keep();
    }
  } catch { /* the next round tries again */ }
  sending = false;
  report();
}

async function forget() {
  if (!confirm('Delete all your answers? This cannot be undone.')) return;
  if (address) {
    const done = await callServer({ method: 'DELETE' }).catch(() => ({ ok: false }));
    if (!done.ok) {
      at('state').textContent = 'The answers could not be deleted: the computer that has them does not answer. Try again later.';
      return;
    }
  }
  answers = {}; unsent = new Set(); agreed = false;
  try { localStorage.removeItem(KEY); } catch { /* nothing was kept */ }
  at('state').textContent = '';
  show('consent');
}

async function resume() {
  if (!address) return;
  const response = await callServer().catch(() => null);
  if (!response?.ok) return;
  for (const one of await response.json()) if (!unsent.has(one.item)) answers[one.item] = one;
}

function onKey(event) {
  if (at('question').hidden || event.ctrlKey || event.altKey || event.metaKey) return;
  const sets = [...at('scales').children], digit = Number(event.key);
  if (digit >= 1) {
    const own = document.activeElement.closest('fieldset'), isOpen = set => !set.querySelector(':checked');
    const set = (own && isOpen(own) && own) || sets.find(isOpen) || own || sets[sets.length - 1];
    const input = set.querySelectorAll('input')[digit - 1];
    if (input) { input.click(); input.focus(); }
  } else if (event.key === 'Enter' && document.activeElement.tagName !== 'BUTTON') {
    event.preventDefault();
    proceed();
  } else if (event.key === 'Backspace' && index > 0) {
    event.preventDefault();
    ask(index - 1);
  }
}

function begin() {
  agreed = true;
  keep();
  const open = study.items.findIndex(item => !isWhole(item));
  if (open < 0) finish();
  else ask(open);
}

document.body.classList.toggle('connected', Boolean(address));
const minutes = Math.max(1, Math.round(study.items.length / 4));
const fills = { count: study.items.length, minutes, rater: study.rater, contact: study.contact || 'ask whoever gave you this page' };
for (const place of document.querySelectorAll('[data-fill]')) place.textContent = fills[place.dataset.fill];
at('start').addEventListener('click', begin);
at('form').addEventListener('submit', event => { event.preventDefault(); proceed(); });
at('form').addEventListener('change', event => note(event.target.name,
  kind(study.items[index]) === 'pair' ? event.target.value : Number(event.target.value)));
at('back').addEventListener('click', () => ask(index - 1));
at('review').addEventListener('click', () => ask(study.items.length - 1));
at('save').addEventListener('click', save);
at('delete').addEventListener('click', forget);
document.addEventListener('keydown', onKey);
if (address) setInterval(send, 5000);
load();
resume().then(() => (agreed ? begin() : show('consent')));
