#!/usr/bin/env python3
"""Plays conversations to the running kernel, many at once, each in a network namespace of its own (room.py).

Reads {"fields": of TCP_INFO, "atOnce": how many, "conversations": [...]} from standard input, writes a list of lines for each to
standard output. Must run as root of a user namespace or of the machine.
"""
import fcntl, heapq, json, os, resource, select, socket, struct, sys, threading, time
from room import Room, US
from wire import PATTERN, PEER, TCP, Wire, arp_frame, arp_text, other

PORT = 10000
TCP_INFO, TCP_CONGESTION = 11, 13
EVENTS = 0x20c7
MSG_ERRQUEUE, IP_RECVERR, SO_TIMESTAMPING = 0x2000, 11, 37
# struct tcp_info of linux/tcp.h, as far as it is asked for: (offset, format, names)
INFO = (
    (0, '=6B', 'state ca_state retransmits probes backoff options'),
    (8, '=24I', 'rto ato snd_mss rcv_mss unacked sacked lost retrans fackets last_data_sent last_ack_sent last_data_recv '
     'last_ack_recv pmtu rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space total_retrans'),
    (120, '=2Q', 'bytes_acked bytes_received'),
    (136, '=6I', 'segs_out segs_in notsent_bytes min_rtt data_segs_in data_segs_out'),
    (192, '=2I', 'delivered delivered_ce'),
    (200, '=2Q', 'bytes_sent bytes_retrans'),
    (216, '=6I', 'dsack_dups reord_seen rcv_ooopack snd_wnd rcv_wnd rehash'),
    (240, '=2H', 'total_rto total_rto_recoveries'),
)


def told_text(data, messages, flags, about):
    """What recvmsg took out of the error queue, as told.mjs spells it."""
    texts = ['%d flags %x about %s' % (len(data), flags, '%s:%d' % about if about else '')]
    for level, kind, value in messages:
        if (level, kind) == (socket.SOL_IP, IP_RECVERR):
            by = socket.inet_ntoa(value[20:24]) if value[16] == socket.AF_INET else ''
            texts.append('err %d %d %d %d %d %d by %s' % (*struct.unpack('=IBBBxII', value[:16]), by))
        elif kind == SO_TIMESTAMPING:
            texts.append('stamps ' + ''.join(str(int(any(value[at:at + 16]))) for at in (0, 16, 32)))
        else:
            texts.append('message %d %d' % (level, kind))
    return ', '.join(texts)


class Talk:
    def __init__(self, number, conversation, fields):
        self.number, self.fields = number, fields
        self.steps, self.theirs = conversation['steps'], conversation['isn']
        self.room = Room(conversation['sysctl'], conversation['arp'])
        self.first_port = 40000 if conversation['role'] == 'server' else 80
        self.arp = conversation['arp']
        self.wires, self.at, self.jar = {}, 0, {'cookie': b''}
        self.lines, self.heard = [], []
        self.sockets = {}
        self.options = conversation['options']
        sock = self.socket()
        self.sockets['L' if conversation['role'] == 'server' else 0] = sock
        if conversation['role'] == 'server':
            sock.listen(conversation['backlog'])

    def socket(self):
        self.room.enter()
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(TCP, TCP_CONGESTION, b'cubic')
        for option in self.options:
            try:
                sock.setsockopt(*option)
            except OSError:
                pass
        try:
            sock.bind((US, PORT))
        except OSError:
            pass
        return sock

    def wire(self, peer):
        if peer not in self.wires:
            self.wires[peer] = Wire((self.theirs + peer * 0x1000000) & 0xffffffff, PORT, self.first_port + peer, self.jar)
        return self.wires[peer]

    def receive(self):
        while True:
            try:
                frame = os.read(self.room.device, 70000)
            except BlockingIOError:
                return
            if frame[12:14] == b'\x08\6':
                self.heard.append(arp_text(frame))
            if frame[12:14] != b'\x08\0':
                continue
            packet = frame[14:]
            at = '' if frame[5] == 1 or not self.arp else ' at %d' % frame[5]
            if packet[9] != TCP:
                self.heard.append(other(packet) + at)
                continue
            peer = int.from_bytes(packet[22:24], 'big') - self.first_port
            self.heard.append(('%d: ' % peer if peer else '') + self.wire(peer).hear(packet) + at)

    def take(self, step):
        """A step's answer."""
        made = ()
        if 'segment' in step:
            made = self.wire(step.get('peer', 0)).segment(step['segment'])
        elif 'icmp' in step:
            made = self.wire(step.get('peer', 0)).icmp(step['icmp'])
        elif 'arp' in step:
            os.write(self.room.device, arp_frame(step['arp'], self.room.ethernet[:6]))
        for packet in made:
            os.write(self.room.device, self.room.ethernet + packet)
        return str(self.call(step.get('on', 0), *step['call'])) if 'call' in step else ''

    def call(self, on, name, *more):
        try:
            return self.try_call(on, name, *more)
        except OSError as error:
            return -error.errno

    def try_call(self, on, name, *more):
        if name == 'counters':
            return ' '.join('%s=%d' % each for each in sorted(self.room.counters().items()))
        if name == 'accept':
            if on in self.sockets or 'L' not in self.sockets:
                return -1
            sock, _ = self.sockets['L'].accept()
            sock.setblocking(False)
            self.sockets[on] = sock
            return 0
        sock = self.sockets.get(on)
        if sock is None:
            return 'no descriptor'
        if name == 'connect':
            return -sock.connect_ex((PEER, 80))
        if name == 'write':
            return sock.send(PATTERN[:more[0]], more[1] | 0x4000)
        if name == 'sendto':
            return sock.sendto(PATTERN[:more[0]], more[1] | 0x4000, (PEER, 80))
        if name == 'errors':
            return told_text(*sock.recvmsg(more[0], 1024, MSG_ERRQUEUE))
        if name == 'read':
            data = sock.recv(*more)
            return '%d:%d' % (len(data), sum(data) & 0xffff)
        if name == 'reopen':
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            sock.close()
            self.sockets[on] = self.socket()
        elif name == 'close':
            del self.sockets[on]
            lingers, seconds = struct.unpack('ii', sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
            if lingers and seconds:
                # The others do not wait for it.
                closing = threading.Thread(target=sock.close, daemon=True)
                closing.start()
                closing.join(0.001)
            else:
                sock.close()
        elif name == 'shutdown':
            sock.shutdown(more[0])
        elif name == 'listen':
            sock.listen(more[0])
        elif name == 'set':
            sock.setsockopt(*more)
        elif name == 'get':
            return sock.getsockopt(*more)
        elif name == 'linger':
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, more[0]))
        elif name == 'ioctl':
            return struct.unpack('i', fcntl.ioctl(sock.fileno(), more[0], bytes(4)))[0]
        elif name == 'error':
            return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        elif name == 'info':
            raw = sock.getsockopt(TCP, TCP_INFO, 280)
            told = {}
            for offset, form, names in INFO:
                told.update(zip(names.split(), struct.unpack_from(form, raw, offset)))
            return ' '.join('%s=%d' % (field, told[field]) for field in self.fields)
        elif name == 'poll':
            poll = select.poll()
            poll.register(sock.fileno(), EVENTS)
            return sum(events for _, events in poll.poll(0))
        return 0

    def end(self):
        for sock in self.sockets.values():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            sock.close()


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    order = json.load(sys.stdin)
    waiting = [Talk(i, each, order['fields']) for i, each in enumerate(order['conversations'])]
    answers = [None] * len(waiting)
    due, by_device, ready = [], {}, select.poll()

    def begin():
        talk = waiting.pop(0)
        by_device[talk.room.device] = talk
        ready.register(talk.room.device, select.POLLIN)
        heapq.heappush(due, (time.monotonic(), talk.number, talk))

    while waiting and len(due) < order['atOnce']:
        begin()
    while due:
        at, number, talk = due[0]
        now = time.monotonic()
        if at > now:
            # What is in the device's queue is held by the socket as well, and cannot be joined with what follows.
            for device, _ in ready.poll((at - now) * 1000):
                by_device[device].receive()
            continue
        heapq.heappop(due)
        talk.receive()
        if talk.lines:
            talk.lines[-1] = ' | '.join([talk.lines[-1], *talk.heard])
            talk.heard = []
        if talk.at == len(talk.steps):
            talk.end()
            ready.unregister(talk.room.device)
            answers[number] = talk.lines
            if waiting:
                begin()
            continue
        step = talk.steps[talk.at]
        talk.at += 1
        talk.lines.append(talk.take(step))
        heapq.heappush(due, (max(at, now - 0.05) + step['ms'] / 1000, number, talk))
    json.dump(answers, sys.stdout)
    sys.stdout.close()
    os._exit(0)


main()
