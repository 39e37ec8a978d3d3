#!/usr/bin/env python3
"""Plays conversations to the running kernel, many at once, over a TAP device of its own.

Reads {"fields": of TCP_INFO, "conversations": [...]} from standard input, writes a list of lines for each to standard output. Must
run in a network namespace of its own (unshare -n). Spells what it sees as frames.mjs does.
"""
import fcntl, heapq, json, os, re, select, socket, struct, subprocess, sys, time

US, PEER_NET, PORT = '10.9.0.1', (10, 9), 10000
AT_ONCE = 40
FLAGS = {'F': 1, 'S': 2, 'R': 4, 'P': 8, '.': 16, 'U': 32, 'E': 64, 'W': 128}
TCP, TCP_INFO, TCP_CONGESTION = 6, 11, 13
EVENTS = 0x20c7
PATTERN = bytes((i * 7 + (i >> 8) * 13) & 255 for i in range(1 << 20)) * 2
SETTINGS = {
    'tcp_rmem': '4096 131072 6291456', 'tcp_wmem': '4096 16384 4194304', 'tcp_no_metrics_save': 1, 'tcp_autocorking': 0,
    'tcp_challenge_ack_limit': 0x7fffffff, 'tcp_fastopen': 1,
}
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


def open_device():
    device = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, 0x400454ca, struct.pack('16sH22x', b'talk0', 0x1002))  # TUNSETIFF: IFF_TAP | IFF_NO_PI
    for command in ('address add %s/16 dev talk0' % US, 'link set talk0 arp off up mtu 1500', 'link set lo up'):
        subprocess.run(['ip', *command.split()], check=True)
    for name, value in SETTINGS.items():
        with open('/proc/sys/net/ipv4/' + name, 'w') as file:
            file.write(str(value))
    shown = subprocess.run(['ip', 'link', 'show', 'talk0'], capture_output=True, text=True, check=True).stdout
    mac = bytes.fromhex(re.search('ether ([0-9a-f:]+)', shown).group(1).replace(':', ''))
    return device, mac + bytes((2, 0, 0, 0, 0, 1, 8, 0))


def checksum(data):
    total = sum(memoryview(data + b'\0' * (len(data) & 1)).cast('H'))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack('=H', ~total & 0xffff)


def relative(number, base):
    return ((number - base - 1 + (1 << 31)) & 0xffffffff) - (1 << 31)


class Talk:
    def __init__(self, number, conversation, fields):
        self.number, self.fields = number, fields
        self.steps, self.theirs = conversation['steps'], conversation['isn']
        self.peer = bytes((*PEER_NET, 1 + number // 250, 1 + number % 250))
        self.port, self.peer_port = PORT + number, 40000
        self.ours = self.stamp_seen = self.at = 0
        self.lines, self.heard = [], []
        self.fd = self.listener = None
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(TCP, TCP_CONGESTION, b'cubic')
        for option in conversation['options']:
            sock.setsockopt(*option)
        sock.bind((US, self.port))
        if conversation['role'] == 'server':
            self.listener = sock
            sock.listen(8)
        else:
            self.fd, self.peer_port = sock, 80

    def frame(self, segment):
        """An IPv4 packet."""
        flags, seq, length = segment['flags'], segment['seq'], segment.get('length', 0)
        options = b''
        if 'mss' in segment:
            options += struct.pack('!BBH', 2, 4, segment['mss'])
        if segment.get('sackOk'):
            options += b'\1\1\4\2'
        if 'scale' in segment:
            options += bytes((1, 3, 3, segment['scale']))
        if 'stamp' in segment:
            echo = self.stamp_seen if '.' in flags else 0
            options += struct.pack('!BBBBII', 1, 1, 8, 10, segment['stamp'] & 0xffffffff, echo)
        if 'sack' in segment:
            edges = [(self.ours + 1 + edge) & 0xffffffff for block in segment['sack'] for edge in block]
            options += struct.pack('!BBBB%dI' % len(edges), 1, 1, 5, 2 + 4 * len(edges), *edges)
        start = self.theirs if 'mss' in segment and seq == 0 else self.theirs + 1 + seq
        ack = self.ours + 1 + segment['ack'] if '.' in flags else 0
        bits = (20 + len(options)) // 4 << 12 | sum(FLAGS[flag] for flag in flags)
        head = struct.pack('!HHIIHH', self.peer_port, self.port, start & 0xffffffff, ack & 0xffffffff, bits, segment['window'])
        tail = struct.pack('!H', segment.get('urgent', 0)) + options + PATTERN[seq & 0xfffff:][:length]
        ends = self.peer + socket.inet_aton(US)
        total = checksum(ends + struct.pack('!HH', TCP, len(head) + 2 + len(tail)) + head + b'\0\0' + tail)
        ip = struct.pack('!BBHHHBB', 0x45, segment.get('tos', 0), 22 + len(head) + len(tail), 0, 0x4000, 64, TCP)
        return ip + checksum(ip + b'\0\0' + ends) + ends + head + total + tail

    def hear(self, packet):
        tcp = packet[(packet[0] & 15) * 4:]
        seq, ack, bits, window = struct.unpack('!IIHH', tcp[4:16])
        header = (bits >> 12) * 4
        if bits & FLAGS['S']:
            self.ours = seq
        words = ['%s %d(%d)' % (''.join(flag for flag in 'SFRPUEW.' if bits & FLAGS[flag]), relative(seq, self.ours),
                                len(tcp) - header)]
        if bits & FLAGS['.']:
            words.append('ack %d' % relative(ack, self.theirs))
        if window == 0 and not bits & FLAGS['R']:
            words.append('window 0')
        words += self.options(tcp[20:header])
        if packet[1] & 3:
            words.append('ecn %d' % (packet[1] & 3))
        self.heard.append(' '.join(words))

    def options(self, data):
        words, at = [], 0
        while at < len(data) and data[at] != 0:
            kind = data[at]
            if kind == 1:
                at += 1
                continue
            value = data[at + 2:at + data[at + 1]]
            if kind == 8:
                self.stamp_seen, echo = struct.unpack('!II', value)
                words.append('echo %d' % echo)
            elif kind == 5:
                edges = struct.unpack('!%dI' % (len(value) // 4), value)
                words.append('sack ' + ' '.join(str(relative(edge, self.theirs)) for edge in edges))
            else:
                words.append({2: 'mss %d' % int.from_bytes(value, 'big'), 3: 'scale %d' % int.from_bytes(value, 'big'),
                              4: 'sackOk'}.get(kind, 'option %d' % kind))
            at += data[at + 1]
        return words

    def call(self, name, *more):
        try:
            return self.try_call(name, *more)
        except OSError as error:
            return -error.errno

    def try_call(self, name, *more):
        fd = self.fd
        if name == 'connect':
            return -fd.connect_ex((socket.inet_ntoa(self.peer), 80))
        if name == 'accept':
            if fd is not None or self.listener is None:
                return -1
            self.fd, _ = self.listener.accept()
            self.fd.setblocking(False)
            return 0
        if fd is None:
            return 'no descriptor'
        if name == 'write':
            return fd.send(PATTERN[:more[0]], more[1] | 0x4000)
        if name == 'read':
            data = fd.recv(*more)
            return '%d:%d' % (len(data), sum(data) & 0xffff)
        if name == 'close':
            fd.close()
            self.fd = None
        elif name == 'shutdown':
            fd.shutdown(more[0])
        elif name == 'set':
            fd.setsockopt(*more)
        elif name == 'linger':
            fd.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, more[0]))
        elif name == 'ioctl':
            return struct.unpack('i', fcntl.ioctl(fd.fileno(), more[0], bytes(4)))[0]
        elif name == 'error':
            return fd.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        elif name == 'info':
            raw = fd.getsockopt(TCP, TCP_INFO, 280)
            told = {}
            for offset, form, names in INFO:
                told.update(zip(names.split(), struct.unpack_from(form, raw, offset)))
            return ' '.join('%s=%d' % (field, told[field]) for field in self.fields)
        elif name == 'poll':
            poll = select.poll()
            poll.register(fd.fileno(), EVENTS)
            return sum(events for _, events in poll.poll(0))
        return 0

    def end(self):
        for sock in (self.fd, self.listener):
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                sock.close()


def main():
    order = json.load(sys.stdin)
    device, ethernet = open_device()
    waiting = list(enumerate(order['conversations']))
    answers = [None] * len(waiting)
    by_peer, due = {}, []

    def begin():
        number, conversation = waiting.pop(0)
        talk = Talk(number, conversation, order['fields'])
        by_peer[talk.peer] = talk
        heapq.heappush(due, (time.monotonic(), number, talk))

    def receive():
        while True:
            try:
                frame = os.read(device, 70000)
            except BlockingIOError:
                return
            talk = by_peer.get(frame[30:34])
            if frame[12:14] == b'\x08\0' and frame[23] == TCP and talk is not None:
                talk.hear(frame[14:])

    ready = select.poll()
    ready.register(device, select.POLLIN)
    while waiting and len(by_peer) < AT_ONCE:
        begin()
    while due:
        at, number, talk = due[0]
        now = time.monotonic()
        if at > now:
            ready.poll((at - now) * 1000)
            receive()
            continue
        heapq.heappop(due)
        receive()
        if talk.lines:
            talk.lines[-1] = ' | '.join([talk.lines[-1], *talk.heard])
            talk.heard = []
        if talk.at == len(talk.steps):
            talk.end()
            receive()
            del by_peer[talk.peer]
            answers[number] = talk.lines
            if waiting:
                begin()
            continue
        step = talk.steps[talk.at]
        talk.at += 1
        if 'segment' in step:
            os.write(device, ethernet + talk.frame(step['segment']))
        talk.lines.append(str(talk.call(*step['call'])) if 'call' in step else '')
        heapq.heappush(due, (max(at, now - 0.05) + step['ms'] / 1000, number, talk))
    json.dump(answers, sys.stdout)


main()
