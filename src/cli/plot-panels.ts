// What a picture of a connection shows: panels over one time axis, and the lines in each. A line's values are what the picture
// shows, so units are converted here.

import type { SeriesPoint } from '../lab/series.js';
import { TCP_INFINITE_SSTHRESH } from '../tcp/constants.js';

export interface Line {
  label: string;
  colour: string;
  /** Of the stroke, pixels. */
  width: number;
  /** In the panel's unit; null: nothing to show at that moment. */
  value(point: SeriesPoint): number | null;
}

export interface Panel {
  title: string;
  unit: string;
  /** Of the drawing area, pixels. */
  height: number;
  /** Between two numbers of the axis, where there is nothing between. */
  leastStep?: number;
  /** From the uppermost down. */
  lines: readonly Line[];
}

// Colours after Okabe and Ito, told apart by readers who do not see all of them.
export const panels: readonly Panel[] = [
  {
    title: 'Windows',
    unit: 'segments',
    height: 190,
    leastStep: 1,
    lines: [
      { label: 'cwnd', colour: '#0b4f8a', width: 1.5, value: ({ cwnd }) => cwnd },
      {
        label: 'ssthresh',
        colour: '#d55e00',
        width: 1.5,
        value: ({ ssthresh }) => (ssthresh >= TCP_INFINITE_SSTHRESH ? null : ssthresh),
      },
      // A sender with enough to say fills its window: this line would hide behind cwnd if it were not broader.
      { label: 'in flight', colour: '#9fd3f2', width: 4.5, value: ({ inFlight }) => inFlight },
    ],
  },
  {
    title: 'Round trip',
    unit: 'milliseconds',
    height: 110,
    lines: [
      {
        label: 'srtt',
        colour: '#9b4f96',
        width: 1.5,
        // RFC 6298, section 2: before the first measurement there is no SRTT.
        value: ({ srttUs }) => (srttUs === 0 ? null : srttUs / 1000),
      },
    ],
  },
  {
    title: 'Delivered',
    unit: 'segments',
    height: 110,
    leastStep: 1,
    lines: [{ label: 'delivered', colour: '#009e73', width: 1.5, value: ({ delivered }) => delivered }],
  },
];
