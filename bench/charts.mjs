// Bar charts, one panel for each kind of work: who does how much. Vega draws them, without a browser.

import { parse, View } from 'vega';
import { number } from './table.mjs';

const WIDTH = 300;
const BAR = 20;
const LABELS = 190;
const GAP_X = LABELS + 70;
const GAP_Y = 64;
const COLUMNS = 2;
const INK = '#333333';

/** Ours, the kernel's, the device's limit, others: colours after Okabe and Ito. */
const COLOURS = { ours: '#0b4f8a', kernel: '#e69f00', limit: '#999999', other: '#009e73' };

const kindOf = ({ name, kernel }) => {
  if (name.startsWith('tapstack')) return 'ours';
  if (name.startsWith('limit')) return 'limit';
  return kernel ? 'kernel' : 'other';
};

/** A work's bars: what each contender reached. */
export function panel({ title, unit, contenders }, known, value = (entry) => entry.median) {
  const bars = known
    .filter(({ name }) => contenders[name] !== undefined)
    .map((one) => ({ label: one.title, value: value(contenders[one.name]), colour: COLOURS[kindOf(one)] }))
    .filter((bar) => Number.isFinite(bar.value));
  return { title, unit, bars };
}

function panelGroup({ title, unit, bars }, x, y) {
  const height = bars.length * BAR;
  const values = bars.map((bar) => ({ ...bar, text: number(bar.value) }));
  return {
    type: 'group',
    title: {
      text: `${title} (${unit})`,
      frame: 'group',
      anchor: 'start',
      fontSize: 12,
      offset: 6,
      color: INK,
    },
    encode: {
      enter: { x: { value: x }, y: { value: y }, width: { value: WIDTH }, height: { value: height } },
    },
    data: [{ name: 'bars', values }],
    scales: [
      { name: 'who', type: 'band', domain: bars.map(({ label }) => label), range: [0, height], padding: 0.2 },
      {
        name: 'amount',
        type: 'linear',
        domain: [0, Math.max(...bars.map((bar) => bar.value))],
        range: [0, WIDTH],
      },
    ],
    axes: [
      {
        orient: 'left',
        scale: 'who',
        ticks: false,
        domain: false,
        labelPadding: 6,
        labelColor: INK,
        labelLimit: LABELS,
      },
    ],
    marks: [
      {
        type: 'rect',
        from: { data: 'bars' },
        encode: {
          enter: {
            x: { value: 0 },
            x2: { scale: 'amount', field: 'value' },
            y: { scale: 'who', field: 'label' },
            height: { scale: 'who', band: 1 },
            fill: { field: 'colour' },
          },
        },
      },
      {
        type: 'text',
        from: { data: 'bars' },
        encode: {
          enter: {
            x: { scale: 'amount', field: 'value', offset: 5 },
            y: { scale: 'who', field: 'label', band: 0.5 },
            baseline: { value: 'middle' },
            text: { field: 'text' },
            fill: { value: INK },
            fontSize: { value: 10 },
          },
        },
      },
    ],
  };
}

/** Draws panels, two beside each other, as an SVG document. */
export async function drawPanels(description, panels) {
  const shown = panels.filter(({ bars }) => bars.length > 0);
  const marks = [];
  let y = 0;
  for (let at = 0; at < shown.length; at += COLUMNS) {
    const row = shown.slice(at, at + COLUMNS);
    for (const [column, one] of row.entries()) marks.push(panelGroup(one, column * (WIDTH + GAP_X), y));
    y += Math.max(...row.map(({ bars }) => bars.length * BAR)) + GAP_Y;
  }
  const spec = {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    description,
    background: 'white',
    padding: { left: 16, right: 60, top: 16, bottom: 8 },
    autosize: 'pad',
    width: COLUMNS * WIDTH + (COLUMNS - 1) * GAP_X,
    height: y - GAP_Y,
    marks,
  };
  const view = new View(parse(spec), { renderer: 'none' });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}
