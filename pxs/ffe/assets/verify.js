// Shows pictures with their scores, one after the other, and gives each answer to `send`. For a page and for a notebook.

const STEP = 0.05;
const KEYS = 'Enter: accept, or save what you moved. X: reject. Up, down: choose an expression. Left, right: move it. '
  + 'Backspace: the picture before.';

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const rounded = value => Math.round(value * 1000) / 1000;

// answers: {item: answer} of earlier, which it adds to. send: called with each answer. ended: when all are answered.
export function mount(root, data, { answers = {}, send, ended = () => {} }) {
  const names = data.expressions, rows = {};
  let index = 0, shownAt = 0, chosen = names[0];
  const heading = element('h1', { tabindex: '-1' });
  const progress = element('progress', { max: data.items.length, 'aria-label': 'Checked pictures' });
  const picture = element('img', { class: 'large', alt: '' });
  const source = element('img', { class: 'small', alt: 'The person without an expression' });
  const list = element('div', { class: 'scores', role: 'group', 'aria-label': 'Scores' });
  const state = element('p', { role: 'status', class: 'state' });
  const accept = element('button', { type: 'button', class: 'accept' }, 'Accept');
  const reject = element('button', { type: 'button' }, 'Reject');
  const back = element('button', { type: 'button' }, 'Back');

  for (const name of names) {
    const input = element('input', { type: 'range', min: 0, max: 1, step: 'any', 'aria-label': name });
    const number = element('output');
    const row = element('label', { title: data.cues[name] },
      element('span', { class: 'name' }, name), input, number);
    row.style.setProperty('--colour', data.colours[name]);
    input.addEventListener('input', () => { number.textContent = Number(input.value).toFixed(2); moved(); });
    input.addEventListener('focus', () => choose(name));
    rows[name] = { row, input, number };
    list.append(row);
  }

  const item = () => data.items[index];
  const scores = () => Object.fromEntries(names.map(name => [name, rounded(Number(rows[name].input.value))]));
  const shownScores = () => ({ ...item().scores, ...(answers[item().id]?.scores || {}) });
  const isMoved = () => names.some(name => Math.abs(Number(rows[name].input.value) - item().scores[name]) > 1e-6);

  function moved() {
    accept.textContent = isMoved() ? 'Save' : 'Accept';
  }

  function set(name, value) {
    rows[name].input.value = Math.min(1, Math.max(0, value));
    rows[name].number.textContent = Number(rows[name].input.value).toFixed(2);
  }

  function choose(name) {
    chosen = name;
    for (const other of names) rows[other].row.classList.toggle('chosen', other === name);
  }

  function show(number) {
    index = number;
    const known = answers[item().id];
    heading.textContent = `${index + 1} of ${data.items.length}: ${item().expression}`;
    progress.value = data.items.filter(one => answers[one.id]).length;
    picture.src = data.pictures[item().picture];
    picture.alt = `Picture ${index + 1}, made to show: ${item().expression}`;
    source.src = data.pictures[item().source];
    const now = shownScores();
    for (const name of names) set(name, now[name]);
    choose(item().expression);
    moved();
    back.disabled = index === 0;
    state.textContent = known ? `You said: ${known.verdict}.` : '';
    shownAt = performance.now();
  }

  function answer(verdict) {
    const given = scores(), known = answers[item().id];
    const said = { item: item().id, verdict: verdict === 'rejected' ? verdict : isMoved() ? 'corrected' : 'accepted',
      at: new Date().toISOString(),
      seconds: rounded((known?.seconds || 0) + (performance.now() - shownAt) / 1000) };
    if (said.verdict === 'corrected') said.scores = given;
    answers[item().id] = said;
    send(said);
    const open = data.items.findIndex(one => !answers[one.id]);
    progress.value = data.items.filter(one => answers[one.id]).length;
    if (open < 0) {
      state.textContent = 'All pictures are checked. Thank you. Go back to change an answer.';
      ended();
    } else show(index + 1 < data.items.length && !answers[data.items[index + 1].id] ? index + 1 : open);
  }

  function onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const place = names.indexOf(chosen), onButton = event.target.tagName === 'BUTTON';
    if (event.key === 'Enter' && !onButton) answer('accepted');
    else if (event.key === 'x' || event.key === 'X') answer('rejected');
    else if (event.key === 'ArrowUp') choose(names[Math.max(0, place - 1)]);
    else if (event.key === 'ArrowDown') choose(names[Math.min(names.length - 1, place + 1)]);
    else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
      const grid = Math.round(Number(rows[chosen].input.value) / STEP) * STEP;
      set(chosen, grid + (event.key === 'ArrowRight' ? STEP : -STEP));
      moved();
    } else if (event.key === 'Backspace' && index > 0) show(index - 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  accept.addEventListener('click', () => answer('accepted'));
  reject.addEventListener('click', () => answer('rejected'));
  back.addEventListener('click', () => show(index - 1));
  root.classList.add('pxs-verify');
  root.setAttribute('tabindex', '0');
  root.onkeydown = onKey;  // one, however often it is mounted
  root.replaceChildren(progress, heading,
    element('div', { class: 'question' }, element('div', { class: 'pictures' }, picture, source), list),
    element('div', { class: 'buttons' }, accept, reject, back), state, element('p', { class: 'keys' }, KEYS));
  show(Math.max(0, data.items.findIndex(one => !answers[one.id])));
  root.focus();
}

function render({ model, el }) {
  const answers = Object.fromEntries(model.get('answers').map(one => [one.item, one]));
  mount(el, model.get('data'), { answers, send: said => model.send(said) });
}

export default { render };
