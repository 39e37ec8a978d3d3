// The picture: for each connection its panels, one below the other, all over the same time axis. Vega draws it, without a
// browser; what it is told is the specification made here.

import { type GroupMark, type LineMark, parse, type Spec, View } from 'vega';
import { type Line, type Panel, panels } from './plot-panels.js';
import type { PlottedConnection } from './plot-series.js';
import { type Dot, thin } from './plot-thin.js';

const WIDTH = 860;
/** Between two panels: room for the title of the lower one. */
const PANEL_GAP = 38;
/** Below the last panel: the time axis, and what sets off the next connection's title. */
const CONNECTION_GAP = 128;
/** What the numbers of every vertical axis take, so that the units of all panels stand in line. */
const NUMBERS = 44;
const INK = '#333333';
const PALE = '#e4e6e8';

interface TimeSpan {
  from: number;
  to: number;
}

/** Draws connections (at least one) as an SVG document. */
export async function drawSeries(connections: readonly PlottedConnection[]): Promise<string> {
  const view = new View(parse(specification(connections)), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

function specification(connections: readonly PlottedConnection[]): Spec {
  const span = spanOf(connections);
  const height = panels.reduce((sum, panel) => sum + panel.height, PANEL_GAP * (panels.length - 1));
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    description: 'TCP connections over virtual time',
    background: 'white',
    padding: 16,
    width: WIDTH,
    height: height * connections.length + CONNECTION_GAP * (connections.length - 1),
    config: {
      axis: {
        labelColor: INK,
        titleColor: INK,
        domainColor: '#888888',
        tickColor: '#888888',
        gridColor: PALE,
      },
      legend: { labelColor: INK, labelFontSize: 11 },
      title: { color: INK },
    },
    scales: [{ name: 'time', type: 'linear', domain: [span.from, span.to], range: [0, WIDTH], zero: false }],
    marks: connections.map((connection, i) =>
      connectionGroup(connection, span, i * (height + CONNECTION_GAP), height),
    ),
  };
}

/** From the first point to the last, seconds; a millisecond, where they are one. */
function spanOf(connections: readonly PlottedConnection[]): TimeSpan {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { points } of connections) {
    from = Math.min(from, points[0].atUs / 1e6);
    to = Math.max(to, points[points.length - 1].atUs / 1e6);
  }
  return { from, to: from === to ? from + 0.001 : to };
}

function connectionGroup(
  connection: PlottedConnection,
  span: TimeSpan,
  y: number,
  height: number,
): GroupMark {
  let top = 0;
  const groups = panels.map((panel, i) => {
    const group = panelGroup(panel, connection, span, top, i === panels.length - 1);
    top += panel.height + PANEL_GAP;
    return group;
  });
  return {
    type: 'group',
    title: {
      text: connection.name,
      subtitle: connection.file,
      frame: 'group',
      anchor: 'start',
      fontSize: 15,
      subtitleFontSize: 11,
      subtitleColor: '#777777',
      offset: 26,
    },
    encode: { enter: { y: { value: y }, width: { value: WIDTH }, height: { value: height } } },
    marks: groups,
  };
}

function panelGroup(
  panel: Panel,
  connection: PlottedConnection,
  span: TimeSpan,
  y: number,
  last: boolean,
): GroupMark {
  const drawn = panel.lines
    .map((line) => ({ line, dots: dotsOf(line, connection, span) }))
    .filter(({ dots }) => dots.some(({ value }) => value !== null));
  return {
    type: 'group',
    title: { text: panel.title, frame: 'group', anchor: 'start', fontSize: 12, offset: 6 },
    encode: { enter: { y: { value: y }, width: { value: WIDTH }, height: { value: panel.height } } },
    data: drawn.map(({ line, dots }) => ({ name: dataOf(line), values: dots })),
    scales: [
      {
        name: 'value',
        type: 'linear',
        domain: [0, topOf(drawn.flatMap(({ dots }) => dots))],
        range: [panel.height, 0],
        nice: true,
      },
      {
        name: 'colour',
        type: 'ordinal',
        domain: drawn.map(({ line }) => line.label),
        range: drawn.map(({ line }) => line.colour),
      },
    ],
    axes: [
      { orient: 'bottom', scale: 'time', grid: true, gridScale: 'value', ...(last ? timeAxis : bareAxis) },
      {
        orient: 'left',
        scale: 'value',
        grid: true,
        gridScale: 'time',
        title: panel.unit,
        titleFontWeight: 'normal',
        tickCount: Math.round(panel.height / 35),
        tickMinStep: panel.leastStep,
        minExtent: NUMBERS,
        maxExtent: NUMBERS,
      },
    ],
    legends: [
      { stroke: 'colour', symbolType: 'stroke', symbolStrokeWidth: 2.5, orient: 'right', offset: 14 },
    ],
    marks: drawn.map(({ line }) => lineMark(line)).reverse(),
  };
}

const timeAxis = { title: 'virtual time (s)', titleFontWeight: 'normal' as const, titlePadding: 8 };
const bareAxis = { labels: false, ticks: false };

function dotsOf(line: Line, { points }: PlottedConnection, { from, to }: TimeSpan): Dot[] {
  const dots = points.map((point) => ({ at: point.atUs / 1e6, value: line.value(point) }));
  return thin(dots, from, to, WIDTH * 2);
}

/** The highest value; 1 where nothing is above 0, which is no scale. */
function topOf(dots: readonly Dot[]): number {
  const top = dots.reduce((highest, { value }) => Math.max(highest, value ?? 0), 0);
  return top === 0 ? 1 : top;
}

/** The name of a line's data, which must not be the name of its mark. */
function dataOf({ label }: Line): string {
  return `${label} over time`;
}

/** Steps: a value holds until the next point says otherwise. */
function lineMark(line: Line): LineMark {
  return {
    type: 'line',
    name: line.label,
    from: { data: dataOf(line) },
    encode: {
      enter: {
        x: { scale: 'time', field: 'at' },
        y: { scale: 'value', field: 'value' },
        defined: { signal: 'datum.value !== null' },
        interpolate: { value: 'step-after' },
        stroke: { value: line.colour },
        strokeWidth: { value: line.width },
        strokeCap: { value: 'round' },
        strokeJoin: { value: 'round' },
      },
    },
  };
}
