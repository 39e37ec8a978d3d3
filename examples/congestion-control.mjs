// A congestion control of one's own, tried in the lab: it watches the round trip and backs off before the queue is full, after
// TCP Vegas (Brakmo and Peterson, 1994). Run beside Reno on the same network; needs no privilege and no device.
import { AF_INET, CongestionControl, isCwndLimited, SOCK_STREAM, slowStart } from 'tapstack';
import { Lab } from 'tapstack/lab';

class Vegas extends CongestionControl {
  name = 'vegas';

  // After a loss: half, as Reno.
  ssthresh(sk) {
    return Math.max(sk.sndCwnd >> 1, 2);
  }

  // For every ACK that may let the window grow. How many of our segments wait in queues? Keep two to four.
  congestionAvoidance(sk, _ack, acked) {
    if (!isCwndLimited(sk) || sk.srttUs === 0) return;
    const rtt = sk.srttUs / 8;
    const waiting = sk.sndCwnd * (1 - sk.minRttUs / rtt);
    if (sk.sndCwnd < sk.sndSsthresh) {
      if (waiting < 2) slowStart(sk, acked);
      else sk.sndSsthresh = sk.sndCwnd;
      return;
    }
    // Once in a round trip.
    sk.sndCwndCnt += acked;
    if (sk.sndCwndCnt < sk.sndCwnd) return;
    sk.sndCwndCnt = 0;
    if (waiting < 2) sk.sndCwnd++;
    else if (waiting > 4 && sk.sndCwnd > 2) sk.sndCwnd--;
  }
}

const BYTES = 4_000_000;

async function measure(control) {
  const lab = new Lab({ seed: 1 });
  const cable = lab.cable({ bandwidth: 20_000_000, delayUs: 10_000, queue: { frames: 100 } });
  const a = lab.stack({ link: cable.a, address: '10.0.0.1/24' });
  const b = lab.stack({ link: cable.b, address: '10.0.0.2/24' });
  a.registerCongestionControl(new Vegas());
  a.sysctl('net.ipv4.tcp_congestion_control', control);

  const server = b.sys.socket(AF_INET, SOCK_STREAM);
  b.sys.bind(server, { family: AF_INET, address: '0.0.0.0', port: 80 });
  b.sys.listen(server, 1);
  const receive = async () => {
    const fd = await b.blocking.accept(server);
    const buffer = new Uint8Array(65536);
    while ((await b.blocking.read(fd, buffer)) > 0);
  };
  let info;
  const send = async () => {
    const fd = a.sys.socket(AF_INET, SOCK_STREAM);
    await a.blocking.connect(fd, { family: AF_INET, address: '10.0.0.2', port: 80 });
    await a.blocking.write(fd, new Uint8Array(BYTES));
    [info] = [a.tcp.info([...a.tcp.established][0])];
    a.sys.close(fd);
  };
  const begun = lab.clock.now();
  await lab.run({ until: Promise.all([receive(), send()]) });
  const ms = (lab.clock.now() - begun) / 1000;
  await lab.close();
  return { mbit: (BYTES * 8) / 1000 / ms, rttMs: info.rtt / 1000, lost: info.total_retrans };
}

for (const control of ['reno', 'vegas']) {
  const { mbit, rttMs, lost } = await measure(control);
  console.log(
    `${control}: ${mbit.toFixed(1)} Mbit/s of 20, round trip ${rttMs.toFixed(0)} ms of 20, ${lost} sent again`,
  );
}
