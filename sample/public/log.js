const KEPT = 200;

/** The list of events, newest first. */
export function createLog(body, empty) {
  return {
    add({ stream, name, id, data, time }) {
      const row = body.insertRow(0);
      row.dataset.stream = stream;
      row.dataset.event = name;
      row.dataset.id = id;
      for (const text of [clock(time), stream, name, id, data]) row.insertCell().textContent = text;
      row.cells[0].title = time.toISOString();
      row.cells[3].title = id;
      if (data === '') row.cells[4].textContent = '(empty)';
      while (body.rows.length > KEPT) body.deleteRow(-1);
      empty.hidden = true;
    },
    clear() {
      body.replaceChildren();
      empty.hidden = false;
    },
  };
}

function clock(time) {
  return `${time.toLocaleTimeString([], { hour12: false })}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}
