// The list, the ladder and the chosen segment. All text is set as text, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const connections = data.connections;
const say = (english, ...values) =>
  (data.words[english] ?? english).replace(/\{(\d)\}/g, (_, place) => String(values[place]));
const at = (id) => document.getElementById(id);
const list = at("list");
let here = -1; // the connection that is shown
let step = 0; // its segment
let field = null; // the field of the header that is explained
let absolute = false; // whether sequence numbers are as in the header

function make(tag, text, style) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (style) made.className = style;
  return made;
}

function fill(id, ...parts) {
  at(id).replaceChildren(...parts);
}

const current = () => connections[here];
const numbered = (found) => (absolute ? found.absolute : found);
const inList = () => list !== null && list.contains(document.activeElement);
const opened = connections.map((each, index) => index).filter((index) => connections[index].steps.length);

// The list.

function rowOf(connection, index) {
  const row = make("tr");
  row.id = `row${index}`;
  connection.cells.forEach((text, place) => {
    const cell = make(place ? "td" : "th");
    if (!place) cell.scope = "row";
    if (!place && connection.steps.length) {
      const open = make("button", text);
      open.type = "button";
      open.setAttribute("aria-label", say("open {0}, {1}", connection.name, connection.verdict));
      open.onclick = () => show(index);
      cell.append(open);
    } else cell.textContent = text;
    if (place === 1) {
      cell.className = connection.style;
      cell.textContent = `${connection.mark} ${text}`;
    }
    row.append(cell);
  });
  row.onclick = () => { if (connection.steps.length) show(index); };
  return row;
}

function drawList() {
  if (list === null) return;
  const head = make("thead");
  const headings = make("tr");
  data.headings.forEach((text) => {
    const cell = make("th", text);
    cell.scope = "col";
    headings.append(cell);
  });
  head.append(headings);
  const body = make("tbody");
  body.append(...connections.map(rowOf));
  fill("rows", head, body);
  at("find").oninput = search;
  search();
}

function search() {
  const wanted = at("find").value.toLowerCase();
  let found = 0;
  connections.forEach((each, index) => {
    const text = [each.name, ...each.cells].join(" ").toLowerCase();
    const matches = text.includes(wanted);
    at(`row${index}`).hidden = !matches;
    found += matches;
  });
  at("count").textContent = say("{0} of {1}", found, connections.length);
}

const buttons = () => [...list.querySelectorAll("tbody tr:not([hidden]) button")];

function moveInList(by) {
  const all = buttons();
  const now = all.indexOf(document.activeElement);
  const next = all[Math.max(0, Math.min(now + by, all.length - 1))];
  if (next) next.focus();
}

function show(index) {
  here = index;
  step = 0;
  field = null;
  list?.querySelectorAll("tr.here").forEach((each) => {
    each.classList.remove("here");
    each.querySelector("button")?.removeAttribute("aria-current");
  });
  const row = at(`row${index}`);
  row?.classList.add("here");
  row?.querySelector("button")?.setAttribute("aria-current", "true");
  drawAbout();
  drawLadder();
  if (current().steps.length) drawStep();
  at("ladder").focus({ preventScroll: true });
  at("name").scrollIntoView({ block: "start" });
}

// What is said of the whole connection.

function items(texts) {
  const all = make("ul");
  texts.forEach((each) => all.append(typeof each === "string" ? make("li", each) : each));
  return all;
}

function drawAbout() {
  const found = current();
  at("name").textContent = found.name;
  const verdict = make("strong", `${found.mark} ${found.verdict}`, found.style);
  fill("summary", verdict, ` ${found.summary}`);
  const parts = found.answer.map((each) => make("p", each));
  const more = [];
  if (found.diagnosis) {
    more.push(`${say("diagnosis:")} ${found.diagnosis.code}`);
    found.diagnosis.ruledOut.forEach((each) => more.push(`${say("ruled out:")} ${each}`));
    if (found.diagnosis.evidence.length) more.push(`${say("evidence: packets")} ${found.diagnosis.evidence.join(", ")}`);
  }
  found.checks.forEach(([command, purpose]) => {
    const item = make("li", `${say("next:")} `);
    if (command) item.append(make("code", command), " ");
    item.append(purpose);
    more.push(item);
  });
  if (more.length) parts.push(items(more));
  fill("answer", ...parts);
  fill("facts", items([...found.facts.map(([name, value]) => `${name}: ${value}`), ...found.findings]));
  at("unit").textContent = found.unit;
  at("after").textContent = found.after.join(" ");
}

// The ladder.

function drawLadder() {
  const rows = current().steps.map((each, index) => {
    const item = make("li");
    item.id = `step${index}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-label", [...each.before, `${index + 1}: ${numbered(each).said}`].join("; "));
    each.before.forEach((text) => item.append(make("div", text, text.startsWith("ICMP") ? "between icmp" : "between")));
    const row = make("div", undefined, "row");
    const mark = each.marks.includes("problem") ? " !" : "";
    const style = ["arrow", each.by, each.kind, each.marks.includes("lost") ? "lost" : ""].join(" ");
    row.append(
      make("span", each.time + mark, "time"),
      make("span", each.states[0], each.changed[0] ? "state left changed" : "state left"),
      make("span", numbered(each).label, style),
      make("span", each.states[1], each.changed[1] ? "state right changed" : "state right"),
    );
    item.append(row);
    item.onclick = () => go(index);
    return item;
  });
  fill("ladder", ...rows);
  at("seq").textContent = absolute ? say("seq absolute") : say("seq relative");
}

function go(to) {
  const last = current().steps.length - 1;
  step = Math.max(0, Math.min(to, last));
  if (last >= 0) drawStep();
}

function problem(by) {
  const steps = current().steps;
  for (let index = step + by; index >= 0 && index < steps.length; index += by) {
    if (steps[index].marks.includes("problem")) { go(index); return; }
  }
  at("live").textContent = say("no other segment with a problem in this direction");
}

// The chosen segment.

function drawStep() {
  const steps = current().steps;
  const found = steps[step];
  at("ladder").querySelectorAll("li").forEach((each, index) => {
    each.classList.toggle("here", index === step);
    each.setAttribute("aria-selected", String(index === step));
  });
  const row = at(`step${step}`);
  at("ladder").setAttribute("aria-activedescendant", row.id);
  const box = at("ladder");
  if (row.offsetTop < box.scrollTop) box.scrollTop = row.offsetTop;
  const below = row.offsetTop + row.offsetHeight - box.clientHeight;
  if (below > box.scrollTop) box.scrollTop = below;
  at("step-title").textContent = found.by === "client"
    ? say("{0} from the client", found.headline) : say("{0} from the server", found.headline);
  at("place").textContent = [found.place, ...found.marks.map((each) => say(each))].join(", ");
  at("why").textContent = found.why;
  at("position").textContent = say("segment {0} of {1}", step + 1, steps.length);
  at("back").disabled = step === 0;
  at("on").disabled = step === steps.length - 1;
  at("live").textContent = `${say("{0} of {1}", step + 1, steps.length)}: ${numbered(found).said}. ${found.why}`;
  drawSockets(found);
  drawHeader(found);
}

function tableHead(caption, ...titles) {
  const head = make("thead");
  const row = make("tr");
  titles.forEach((text) => {
    const cell = make("th", text);
    cell.scope = "col";
    row.append(cell);
  });
  head.append(row);
  return [make("caption", caption), head];
}

function drawSockets(found) {
  const names = [...new Set(numbered(found).variables.flat().map(([name]) => name))];
  const body = make("tbody");
  const states = make("tr");
  const title = make("th", say("state"));
  title.scope = "row";
  states.append(title);
  found.states.forEach((text, end) => {
    const before = step ? current().steps[step - 1].states[end] : "?";
    states.append(change(found.changed[end] ? before : text, text));
  });
  body.append(states);
  names.forEach((name) => {
    const row = make("tr");
    const head = make("th", name);
    head.scope = "row";
    row.append(head);
    numbered(found).variables.forEach((known) => {
      const one = known.find((each) => each[0] === name);
      row.append(one ? change(one[1], one[2]) : make("td", "—", "dim"));
    });
    body.append(row);
  });
  fill("sockets", ...tableHead(say("What each socket knows"), say("variable"), say("client"), say("server")), body);
}

function change(before, after) {
  const cell = make("td");
  if (before === after) cell.textContent = after;
  else cell.append(before ? `${before} → ` : "→ ", make("b", after || "—"));
  return cell;
}

function drawHeader(found) {
  const body = make("tbody");
  found.header.forEach((value, index) => {
    const row = make("tr");
    const head = make("th");
    head.scope = "row";
    const button = make("button", data.fields[index][0]);
    button.type = "button";
    button.setAttribute("aria-pressed", String(index === field));
    button.onclick = () => { choose(index === field ? null : index); };
    head.append(button);
    row.append(head, make("td", value));
    row.classList.toggle("here", index === field);
    body.append(row);
  });
  fill("header", ...tableHead(say("Header"), say("field"), say("value")), body);
  const chosen = field === null ? null : data.fields[field];
  at("field").textContent = chosen ? `${chosen[0]}: ${chosen[2]} (${chosen[1]})` : "";
  drawOctets(found);
}

function choose(next) {
  const focused = document.activeElement?.closest("#header") ? next : null;
  field = next;
  drawHeader(current().steps[step]);
  if (field !== null) {
    at("octets").scrollIntoView({ block: "nearest" });
    at("header").querySelector("tr.here").scrollIntoView({ block: "nearest" });
  }
  if (focused !== null) at("header").querySelectorAll("button")[focused].focus();
}

function drawOctets(found) {
  const octets = found.octets.match(/../g) ?? [];
  const span = field === null ? [0, 0] : found.spans[field];
  const width = matchMedia("(max-width: 42rem)").matches ? 8 : 16;
  const begin = Math.min(...found.spans.map(([first]) => first));
  const end = Math.max(...found.spans.map((each) => each[1]));
  const parts = [];
  for (let line = 0; line < octets.length; line += width) {
    parts.push(`${line.toString(16).padStart(4, "0")}  `);
    for (let place = line; place < Math.min(line + width, octets.length); place += 1) {
      if (place > line) parts.push(place % 8 ? " " : "  ");
      const lit = place >= span[0] && place < span[1];
      const inHeader = place >= begin && place < end;
      parts.push(lit ? make("mark", octets[place]) : inHeader ? make("span", octets[place], "tcp") : octets[place]);
    }
    parts.push("\n");
  }
  if (found.more) parts.push(`${say("{0} more octets", found.more)}\n`);
  fill("octets", ...parts);
}

// Keys and buttons.

const move = (by) => () => (inList() ? moveInList(by) : go(step + by));
const field_ = (by) => () => {
  const count = data.fields.length;
  choose(field === null ? (by > 0 ? 0 : count - 1) : (field + by + count) % count);
};
const other = (by) => () => {
  const next = opened[opened.indexOf(here) + by];
  if (next !== undefined) show(next);
};
const last = () => (inList() ? moveInList(connections.length) : go(current().steps.length));
const first = () => (inList() ? moveInList(-connections.length) : go(0));
const help = () => at("keys").showModal();
const renumber = () => {
  absolute = !absolute;
  at("numbers").setAttribute("aria-pressed", String(absolute));
  drawLadder();
  if (current().steps.length) drawStep();
};

function escape_() {
  if (field !== null) choose(null);
  else if (list !== null) {
    (at(`row${here}`)?.querySelector("button") ?? at("find")).focus();
  }
}

stepping({
  j: move(1), ArrowDown: move(1), ArrowRight: move(1),
  k: move(-1), ArrowUp: move(-1), ArrowLeft: move(-1),
  Home: first, g: first, End: last, G: last,
  n: () => problem(1), N: () => problem(-1),
  f: field_(1), F: field_(-1),
  r: renumber,
  "[": other(-1), "]": other(1),
  "/": () => at("find")?.focus(),
  Escape: escape_,
  "?": help,
});
at("back").onclick = () => go(step - 1);
at("on").onclick = () => go(step + 1);
at("help").onclick = help;
at("numbers").onclick = renumber;

document.body.classList.toggle("alone", list === null);
drawList();
if (opened.length) {
  show(opened[0]);
  scrollTo(0, 0);
  if (list !== null) at(`row${opened[0]}`).querySelector("button").focus({ preventScroll: true });
} else if (connections.length) {
  here = 0;
  drawAbout();
}
