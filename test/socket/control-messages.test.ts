// What recvmsg tells beside the bytes, and what sendmsg is told: control messages and the error queue, over loopback. What Linux
// answers to the same was recorded from kernel 6.18.
import {
  AF_INET,
  type ControlMessage,
  EPOLLIN,
  IP_MTU_DISCOVER,
  IP_ORIGDSTADDR,
  IP_PKTINFO,
  IP_PMTUDISC_DO,
  IP_RECVERR,
  IP_RECVORIGDSTADDR,
  IP_RECVTOS,
  IP_RECVTTL,
  IP_TOS,
  IP_TTL,
  IPPROTO_IP,
  IPPROTO_TCP,
  type MessageHeader,
  MSG_CTRUNC,
  MSG_ERRQUEUE,
  MSG_TRUNC,
  MSG_ZEROCOPY,
  SCM_TIMESTAMPING_OPT_STATS,
  SCM_TSTAMP_ACK,
  SCM_TSTAMP_SCHED,
  SCM_TSTAMP_SND,
  SO_EE_CODE_ZEROCOPY_COPIED,
  SO_EE_ORIGIN_LOCAL,
  SO_EE_ORIGIN_TIMESTAMPING,
  SO_EE_ORIGIN_ZEROCOPY,
  SO_RCVBUF,
  SO_RXQ_OVFL,
  SO_SELECT_ERR_QUEUE,
  SO_TIMESTAMP,
  SO_TIMESTAMPING,
  SO_TIMESTAMPNS_NEW,
  SO_ZEROCOPY,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOF_TIMESTAMPING_OPT_CMSG,
  SOF_TIMESTAMPING_OPT_ID,
  SOF_TIMESTAMPING_OPT_STATS,
  SOF_TIMESTAMPING_OPT_TSONLY,
  SOF_TIMESTAMPING_SOFTWARE,
  SOF_TIMESTAMPING_TX_ACK,
  SOF_TIMESTAMPING_TX_SCHED,
  SOF_TIMESTAMPING_TX_SOFTWARE,
  SOL_SOCKET,
  TCP_CM_INQ,
  TCP_INQ,
} from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { createWire } from '../../src/link/wire.js';
import { address, Machine, result, settle } from '../kernel/machine.js';

let m: Machine;
beforeEach(() => {
  m = new Machine();
});

const set = (fd: number, level: number, name: number, value = 1) => m.sys.setsockopt(fd, level, name, value);
const datagram = () => m.sys.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK);

interface Heard {
  result: number | string;
  bytes: Uint8Array;
  flags: number;
  control: ControlMessage[];
  name: string;
}

function hear(fd: number, flags = 0, room = 2000, controllen?: number): Heard {
  const buffer = new Uint8Array(room);
  const control: ControlMessage[] = [];
  const message: MessageHeader = {
    msg_name: address(),
    msg_iov: [buffer],
    msg_control: control,
    msg_controllen: controllen,
  };
  const got = m.sys.recvmsg(fd, message, flags);
  const { msg_name } = message;
  return {
    result: result(got),
    bytes: buffer.subarray(0, Math.max(got, 0)),
    flags: message.msg_flags ?? 0,
    control,
    name: `${msg_name?.address}:${msg_name?.port}`,
  };
}

const types = (heard: Heard) => heard.control.map(({ cmsg_level, cmsg_type }) => [cmsg_level, cmsg_type]);
const HEADER_OPTIONS = [IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVORIGDSTADDR];
/** What an entry of the error queue tells of the IP header of what was sent, and the offender. */
const header = (heard: Heard) => [
  ...heard.control
    .filter(({ cmsg_level, cmsg_type }) => cmsg_level === IPPROTO_IP && cmsg_type !== IP_RECVERR)
    .map(({ cmsg_data }) => cmsg_data),
  (error(heard) as { offender: unknown }).offender,
];
const headerTold = (port: number) => [
  { ipi_ifindex: 1, ipi_spec_dst: '127.0.0.1', ipi_addr: '127.0.0.1' },
  64,
  0,
  address(port),
  address(0),
];
const error = (heard: Heard) => heard.control.at(-1)?.cmsg_data;

describe('a datagram', () => {
  let receiver: number;
  let sender: number;
  beforeEach(() => {
    receiver = datagram();
    sender = datagram();
    m.sys.bind(receiver, address(5555));
  });
  const send = (control: ControlMessage[] = []) =>
    m.sys.sendmsg(sender, {
      msg_name: address(5555),
      msg_iov: [new Uint8Array(3)],
      msg_control: control,
    });

  it('comes with what was asked for, in Linux’s order', () => {
    for (const name of [IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVORIGDSTADDR])
      set(receiver, IPPROTO_IP, name);
    set(receiver, SOL_SOCKET, SO_TIMESTAMP);
    m.clock.advance(1_500_000);
    send();
    expect(hear(receiver).control).toEqual([
      { cmsg_level: SOL_SOCKET, cmsg_type: SO_TIMESTAMP, cmsg_data: { tv_sec: 1, tv_usec: 500_000 } },
      {
        cmsg_level: IPPROTO_IP,
        cmsg_type: IP_PKTINFO,
        cmsg_data: { ipi_ifindex: 1, ipi_spec_dst: '127.0.0.1', ipi_addr: '127.0.0.1' },
      },
      { cmsg_level: IPPROTO_IP, cmsg_type: IP_TTL, cmsg_data: 64 },
      { cmsg_level: IPPROTO_IP, cmsg_type: IP_TOS, cmsg_data: 0 },
      { cmsg_level: IPPROTO_IP, cmsg_type: IP_ORIGDSTADDR, cmsg_data: address(5555) },
    ]);
  });

  it('bears the time at which it came, not at which it is read', () => {
    set(receiver, SOL_SOCKET, SO_TIMESTAMPNS_NEW);
    m.clock.advance(1_000_000);
    send();
    m.clock.advance(1_000_000);
    expect(hear(receiver).control).toEqual([
      { cmsg_level: SOL_SOCKET, cmsg_type: SO_TIMESTAMPNS_NEW, cmsg_data: { tv_sec: 1, tv_nsec: 0 } },
    ]);
  });

  it('says MSG_CTRUNC when there is no room for all of it', () => {
    set(receiver, IPPROTO_IP, IP_PKTINFO);
    set(receiver, SOL_SOCKET, SO_TIMESTAMP);
    send();
    const heard = hear(receiver, 0, 10, 40);
    expect([types(heard), heard.flags]).toEqual([[[SOL_SOCKET, SO_TIMESTAMP]], MSG_CTRUNC]);
    send();
    expect(hear(receiver, 0, 10, 0)).toMatchObject({ control: [], flags: MSG_CTRUNC });
    send();
    const message: MessageHeader = { msg_iov: [new Uint8Array(10)] };
    expect([m.sys.recvmsg(receiver, message), message.msg_flags]).toEqual([3, MSG_CTRUNC]);
  });

  it('is sent as its control messages say', () => {
    for (const name of [IP_RECVTTL, IP_RECVTOS]) set(receiver, IPPROTO_IP, name);
    send([
      { cmsg_level: IPPROTO_IP, cmsg_type: IP_TTL, cmsg_data: 9 },
      { cmsg_level: IPPROTO_IP, cmsg_type: IP_TOS, cmsg_data: 16 },
      {
        cmsg_level: IPPROTO_IP,
        cmsg_type: IP_PKTINFO,
        cmsg_data: { ipi_ifindex: 0, ipi_spec_dst: '127.0.0.9', ipi_addr: '' },
      },
    ]);
    const heard = hear(receiver);
    expect(heard.control.map(({ cmsg_data }) => cmsg_data)).toEqual([9, 16]);
    expect(heard.name).toMatch(/^127\.0\.0\.9:/);
    const refused = send([{ cmsg_level: IPPROTO_IP, cmsg_type: IP_TTL, cmsg_data: 0 }]);
    expect(result(refused)).toBe('-EINVAL');
    expect(result(send([{ cmsg_level: SOL_SOCKET, cmsg_type: 999, cmsg_data: 0 }]))).toBe('-EINVAL');
  });

  it('tells how many were dropped before it (SO_RXQ_OVFL)', () => {
    set(receiver, SOL_SOCKET, SO_RXQ_OVFL);
    set(receiver, SOL_SOCKET, SO_RCVBUF, 2000);
    for (let i = 0; i < 12; i++) send();
    while (hear(receiver).result === 3);
    send();
    const [drops] = hear(receiver).control;
    expect(drops).toMatchObject({ cmsg_level: SOL_SOCKET, cmsg_type: SO_RXQ_OVFL });
    expect(drops.cmsg_data).toBeGreaterThan(0);
  });

  it('is timed as it is sent, with its frame or without', async () => {
    const flags =
      SOF_TIMESTAMPING_TX_SOFTWARE |
      SOF_TIMESTAMPING_TX_SCHED |
      SOF_TIMESTAMPING_SOFTWARE |
      SOF_TIMESTAMPING_OPT_ID;
    set(sender, SOL_SOCKET, SO_TIMESTAMPING, flags);
    send();
    expect(await m.poll(sender)).toContain('ERR');
    const first = hear(sender, MSG_ERRQUEUE);
    expect([first.result, first.flags, first.bytes[12], first.bytes[23]]).toEqual([45, MSG_ERRQUEUE, 8, 17]);
    const about = { ee_origin: SO_EE_ORIGIN_TIMESTAMPING, ee_data: 0 };
    expect(error(first)).toMatchObject({ ...about, ee_info: SCM_TSTAMP_SCHED });
    expect(error(hear(sender, MSG_ERRQUEUE, 1))).toMatchObject({ ...about, ee_info: SCM_TSTAMP_SND });
    set(sender, SOL_SOCKET, SO_TIMESTAMPING, flags | SOF_TIMESTAMPING_OPT_TSONLY);
    send();
    expect(hear(sender, MSG_ERRQUEUE)).toMatchObject({ result: 0, flags: MSG_ERRQUEUE });
    expect(error(hear(sender, MSG_ERRQUEUE))).toMatchObject({ ee_data: 1 });
    expect(hear(sender, MSG_ERRQUEUE).result).toBe('-EAGAIN');
  });

  it('is timed with the header it left by (SOF_TIMESTAMPING_OPT_CMSG), if its frame is told', () => {
    const flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_CMSG;
    for (const name of HEADER_OPTIONS) set(sender, IPPROTO_IP, name);
    set(sender, SOL_SOCKET, SO_TIMESTAMPING, flags);
    send();
    expect(header(hear(sender, MSG_ERRQUEUE))).toEqual(headerTold(5555));
    set(sender, SOL_SOCKET, SO_TIMESTAMPING, flags | SOF_TIMESTAMPING_OPT_TSONLY);
    send();
    expect(header(hear(sender, MSG_ERRQUEUE))).toEqual([null]);
  });

  it('is timed alone if its control message asks for it', () => {
    set(sender, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY);
    send();
    expect(hear(sender, MSG_ERRQUEUE).result).toBe('-EAGAIN');
    const ask = (cmsg_data: number) => [{ cmsg_level: SOL_SOCKET, cmsg_type: SO_TIMESTAMPING, cmsg_data }];
    send(ask(SOF_TIMESTAMPING_TX_SOFTWARE));
    expect(error(hear(sender, MSG_ERRQUEUE))).toMatchObject({ ee_info: SCM_TSTAMP_SND });
    expect(result(send(ask(SOF_TIMESTAMPING_OPT_ID)))).toBe('-EINVAL');
  });

  it('completes MSG_ZEROCOPY at once: it was copied', async () => {
    set(sender, SOL_SOCKET, SO_ZEROCOPY);
    set(sender, SOL_SOCKET, SO_SELECT_ERR_QUEUE);
    for (let i = 0; i < 2; i++) m.sys.sendto(sender, new Uint8Array(9), 9, MSG_ZEROCOPY, address(5555));
    expect(await m.poll(sender)).toBe('PRI|OUT|ERR|WRNORM');
    expect(error(hear(sender, MSG_ERRQUEUE))).toMatchObject({
      ee_origin: SO_EE_ORIGIN_ZEROCOPY,
      ee_code: SO_EE_CODE_ZEROCOPY_COPIED,
      ee_info: 0,
      ee_data: 1,
    });
    expect(await m.poll(sender)).toBe('OUT|WRNORM');
  });

  it('bounds the error queue by the receive buffer', () => {
    set(sender, SOL_SOCKET, SO_RCVBUF, 5000);
    set(sender, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
    for (let i = 0; i < 100; i++) send();
    let told = 0;
    while (hear(sender, MSG_ERRQUEUE).result !== '-EAGAIN') told++;
    expect(told).toBe(9);
  });
});

describe('IP_RECVERR', () => {
  it('tells of a datagram that is too large for the path', async () => {
    const { clock } = m;
    const [near] = createWire({ clock });
    m = new Machine({ clock, link: near, address: '192.0.2.1/24' });
    const fd = datagram();
    set(fd, IPPROTO_IP, IP_RECVERR);
    set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
    m.sys.connect(fd, address(9, '192.0.2.2'));
    expect(result(m.sys.write(fd, new Uint8Array(2000)))).toBe('-EMSGSIZE');
    const heard = hear(fd, MSG_ERRQUEUE);
    expect([heard.result, heard.name]).toEqual([0, '192.0.2.2:9']);
    expect(error(heard)).toMatchObject({
      ee_errno: 90,
      ee_origin: SO_EE_ORIGIN_LOCAL,
      ee_info: 1500,
      offender: null,
    });
  });

  it('tells of a neighbour that does not answer, and who says so', async () => {
    const { clock } = m;
    const [near] = createWire({ clock });
    m = new Machine({ clock, link: near, address: '192.0.2.1/24' });
    const fd = datagram();
    for (const name of [IP_RECVERR, IP_RECVTTL, IP_RECVTOS]) set(fd, IPPROTO_IP, name);
    set(fd, IPPROTO_IP, IP_TOS, 0x14);
    m.sys.sendto(fd, new TextEncoder().encode('hello'), 5, 0, address(9, '192.0.2.77'));
    clock.advance(4_000_000);
    await settle();
    const heard = hear(fd, MSG_ERRQUEUE, 3);
    expect([heard.result, heard.flags, heard.name]).toEqual([3, MSG_ERRQUEUE | MSG_TRUNC, '192.0.2.77:9']);
    expect(error(heard)).toMatchObject({
      ee_errno: 113,
      offender: { family: AF_INET, address: '192.0.2.1' },
    });
    expect(heard.control.slice(0, -1).map(({ cmsg_data }) => cmsg_data)).toEqual([64, 0xd4]);
  });
});

describe('a stream', () => {
  const ALL =
    SOF_TIMESTAMPING_TX_SOFTWARE |
    SOF_TIMESTAMPING_TX_SCHED |
    SOF_TIMESTAMPING_TX_ACK |
    SOF_TIMESTAMPING_SOFTWARE |
    SOF_TIMESTAMPING_OPT_ID;

  it('is timed with what was sent, and wakes epoll for it', async () => {
    const [a] = m.pair();
    const ep = m.epoll();
    m.add(ep, a, EPOLLIN, 'a');
    set(a, SOL_SOCKET, SO_TIMESTAMPING, ALL);
    m.write(a, 'hello');
    expect(await m.wait(ep)).toBe('a{ERR}');
    const heard = [0, 1, 2].map(() => hear(a, MSG_ERRQUEUE));
    expect(heard.map((each) => each.result)).toEqual([71, 71, 5]);
    expect(heard.map(error)).toMatchObject(
      [SCM_TSTAMP_SCHED, SCM_TSTAMP_SND, SCM_TSTAMP_ACK].map((ee_info) => ({ ee_info, ee_data: 4 })),
    );
    expect(new TextDecoder().decode(heard[2].bytes)).toBe('hello');
    expect(await m.wait(ep)).toBe('');
  });

  it('is timed with the header it left by (SOF_TIMESTAMPING_OPT_CMSG); an acknowledgement tells of none', () => {
    const { fd: listener, at } = m.listener();
    const a = m.client(at);
    m.sys.accept(listener);
    for (const name of HEADER_OPTIONS) set(a, IPPROTO_IP, name);
    set(a, SOL_SOCKET, SO_TIMESTAMPING, ALL);
    m.write(a, 'hello');
    expect([0, 1, 2].map(() => header(hear(a, MSG_ERRQUEUE)))).toEqual([[null], [null], [null]]);
    set(a, SOL_SOCKET, SO_TIMESTAMPING, ALL | SOF_TIMESTAMPING_OPT_CMSG);
    m.write(a, 'hello');
    const heard = [0, 1, 2].map(() => header(hear(a, MSG_ERRQUEUE)));
    expect(heard).toEqual([headerTold(at.port), headerTold(at.port), [null]]);
  });

  it('tells the connection’s figures with SOF_TIMESTAMPING_OPT_STATS', () => {
    const [a] = m.pair();
    set(a, SOL_SOCKET, SO_TIMESTAMPING, ALL | SOF_TIMESTAMPING_OPT_TSONLY | SOF_TIMESTAMPING_OPT_STATS);
    m.write(a, 'hello');
    const [scheduled, , acked] = [0, 1, 2].map(() => hear(a, MSG_ERRQUEUE));
    expect(types(scheduled)).toContainEqual([SOL_SOCKET, SCM_TIMESTAMPING_OPT_STATS]);
    expect(scheduled.control[1].cmsg_data).toMatchObject({ TCP_NLA_SNDQ_SIZE: 5, TCP_NLA_BYTES_SENT: 5 });
    expect(acked.control[1].cmsg_data).toMatchObject({ TCP_NLA_SNDQ_SIZE: 0, TCP_NLA_TTL: 64 });
    // The attributes as Linux lays them out: TCP_NLA_BUSY first, eight bytes; nothing was in flight before.
    expect([...scheduled.bytes.subarray(0, 5)]).toEqual([12, 0, 1, 0, 0]);
    expect(scheduled.result).toBe(scheduled.bytes.length);
    // All that Linux 6.18 tells, in its order, but for TCP_NLA_TIMEOUT_REHASH, EDT and REHASH.
    const view = new DataView(acked.bytes.buffer, acked.bytes.byteOffset, acked.bytes.length);
    const order: number[] = [];
    for (let at = 0; at < view.byteLength; at += (view.getUint16(at, true) + 3) & ~3) {
      order.push(view.getUint16(at + 2, true));
    }
    expect(order).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16, 17, 13, 14, 18, 19, 20, 21, 22, 24, 26,
    ]);
  });

  it('numbers a blocking write that sleeps once, and times its last byte', async () => {
    const { fd: listener, at } = m.listener();
    const a = m.sys.socket(AF_INET, 1);
    m.sys.connect(a, at);
    const b = m.sys.accept4(listener, null, SOCK_NONBLOCK);
    set(a, SOL_SOCKET, SO_ZEROCOPY);
    set(a, SOL_SOCKET, SO_TIMESTAMPING, (ALL & ~SOF_TIMESTAMPING_TX_SCHED) | SOF_TIMESTAMPING_OPT_TSONLY);
    const writing = m.blocking.send(a, new Uint8Array(400_000), 400_000, MSG_ZEROCOPY);
    const buffer = new Uint8Array(65_536);
    for (let i = 0; i < 200; i++) {
      await m.pass(1);
      while (m.sys.read(b, buffer) > 0);
    }
    expect(await writing).toBe(400_000);
    const errors: unknown[] = [];
    for (let heard = hear(a, MSG_ERRQUEUE); heard.result === 0; heard = hear(a, MSG_ERRQUEUE))
      errors.push(error(heard));
    expect(errors).toMatchObject([
      { ee_info: SCM_TSTAMP_SND, ee_data: 399_999 },
      { ee_info: SCM_TSTAMP_ACK, ee_data: 399_999 },
      { ee_origin: SO_EE_ORIGIN_ZEROCOPY, ee_info: 0, ee_data: 0 },
    ]);
  });

  it('hands TCP_INQ through a blocking recvmsg', async () => {
    const { fd: listener, at } = m.listener();
    const a = m.client(at);
    const b = m.sys.accept(listener);
    set(b, IPPROTO_TCP, TCP_INQ);
    m.write(a, 'hello');
    const message: MessageHeader = { msg_iov: [new Uint8Array(2), new Uint8Array(1)], msg_control: [] };
    expect(await m.blocking.recvmsg(b, message)).toBe(3);
    expect(message.msg_control).toEqual([{ cmsg_level: IPPROTO_TCP, cmsg_type: TCP_CM_INQ, cmsg_data: 2 }]);
    expect(result(await m.blocking.recv(b, new Uint8Array(1), 1, MSG_ERRQUEUE))).toBe('-EAGAIN');
  });
});
