// What is measured: each kind of work is one way to call the client, and one number of its answer that counts.

const everybody = () => true;

const bulk = (name, title, args, connections, more = {}) => ({
  name,
  title,
  unit: 'Gbit/s',
  metric: 'gbps',
  args: ['-n', `${connections}`, ...(more.congestion ? ['-c', more.congestion] : [])],
  work: args,
  who: everybody,
});

const rate = (name, title, work, connections, unit) => ({
  name,
  title,
  unit,
  metric: 'perSecond',
  args: ['-n', `${connections}`],
  work,
  who: everybody,
});

export const workloads = [
  bulk('in-1', 'bulk in, 1 stream', 'in', 1),
  bulk('in-1-cubic', 'bulk in, 1 stream, cubic', 'in', 1, { congestion: 'cubic' }),
  bulk('out-1', 'bulk out, 1 stream', 'out', 1),
  bulk('in-8', 'bulk in, 8 streams', 'in', 8),
  bulk('out-8', 'bulk out, 8 streams', 'out', 8),
  rate('rr-1', 'round trips, 1 connection', 'rr', 1, 'per second'),
  rate('rr-64', 'round trips, 64 connections', 'rr', 64, 'per second'),
  rate('crr-1', 'connections, 1 in flight', 'crr', 1, 'per second'),
  rate('crr-64', 'connections, 64 in flight', 'crr', 64, 'per second'),
];
