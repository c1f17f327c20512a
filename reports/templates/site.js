'use strict'
// Filters, searches and sorts the rows that are there already; without it the page is a plain table.
const form = document.getElementById('filters')
const table = document.getElementById('list')
const body = table.tBodies[0]
const shown = document.getElementById('shown')
const rows = Array.from(body.rows, (row) => ({
  row,
  verdict: row.dataset.verdict,
  category: row.dataset.category.split(' '),
  track: row.dataset.track,
  merged: row.dataset.merged,
  text: row.textContent.toLowerCase(),
  cells: Array.from(row.cells, (cell) => cell.textContent.trim()),
}))

function filter() {
  const chosen = new FormData(form)
  const verdicts = new Set(chosen.getAll('verdict'))
  const words = chosen.get('words').toLowerCase().split(/\s+/).filter(Boolean)
  const wanted = ['track', 'merged'].filter((name) => chosen.get(name))
  let count = 0
  for (const r of rows) {
    const visible = verdicts.has(r.verdict) &&
      (!chosen.get('category') || r.category.includes(chosen.get('category'))) &&
      wanted.every((name) => r[name] === chosen.get(name)) &&
      words.every((word) => r.text.includes(word))
    r.row.hidden = !visible
    count += visible
  }
  shown.value = `${count} of ${rows.length}`
}

// The address says what is chosen (index.html#verdict=FAIL&words=slot&sort=-4), so that a view can be passed on.
function remember() {
  const chosen = new URLSearchParams()
  const picks = Array.from(form.querySelectorAll('[name=verdict]'))
  if (picks.some((pick) => !pick.checked)) {
    picks.filter((pick) => pick.checked).forEach((pick) => chosen.append('verdict', pick.value))
    if (!chosen.has('verdict')) chosen.append('verdict', '')
  }
  for (const name of ['category', 'track', 'merged', 'words']) {
    if (form.elements[name].value) chosen.set(name, form.elements[name].value)
  }
  const sorted = table.tHead.querySelector('[aria-sort]')
  if (sorted) {
    chosen.set('sort', (sorted.getAttribute('aria-sort') === 'ascending' ? '' : '-') + sorted.cellIndex)
  }
  try {
    history.replaceState(null, '', chosen.size ? `#${chosen}` : location.pathname)
  } catch {
    // A page that was opened from a disk may not be allowed to.
  }
}

function recall() {
  const chosen = new URLSearchParams(location.hash.slice(1))
  if (chosen.has('verdict')) {
    const verdicts = chosen.getAll('verdict')
    form.querySelectorAll('[name=verdict]').forEach((pick) => { pick.checked = verdicts.includes(pick.value) })
  }
  for (const name of ['category', 'track', 'merged', 'words']) {
    form.elements[name].value = chosen.get(name) || ''
  }
  const by = /^(-?)(\d+)$/.exec(chosen.get('sort') || '')
  const head = by && table.tHead.rows[0].cells[Number(by[2])]
  if (head && head.dataset.by) sort(head, !by[1])
}

function number(text) {
  const found = text.replace(/,/g, '').match(/-?\d+(\.\d+)?/)
  return found ? Number(found[0]) : null
}

function sort(head, up) {
  const at = head.cellIndex
  for (const other of head.parentNode.cells) {
    other.removeAttribute('aria-sort')
  }
  head.setAttribute('aria-sort', up ? 'ascending' : 'descending')
  const sign = up ? 1 : -1
  const key = head.dataset.by === 'number' ? (r) => number(r.cells[at]) : (r) => r.cells[at]
  const keyed = rows.map((r) => [key(r), r.row])
  // What has no number comes last, whichever way the others go.
  keyed.sort(([a], [b]) => (a === null) - (b === null) || sign * ((a > b) - (a < b)))
  body.append(...keyed.map(([, row]) => row))
}

form.addEventListener('input', () => { filter(); remember() })
form.addEventListener('submit', (event) => event.preventDefault())
for (const head of table.tHead.rows[0].cells) {
  const button = head.querySelector('button')
  if (button) {
    button.addEventListener('click', () => { sort(head, head.getAttribute('aria-sort') !== 'ascending'); remember() })
  }
}
form.hidden = false
recall()
filter()
