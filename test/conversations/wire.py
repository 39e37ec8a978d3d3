"""Packets of the peer's and ours, in numbers that count from each side's first byte. Spelled as frames.mjs does."""
import socket, struct
from room import US

PEER = '10.9.1.1'
ENDS = socket.inet_aton(PEER) + socket.inet_aton(US)
FLAGS = {'F': 1, 'S': 2, 'R': 4, 'P': 8, '.': 16, 'U': 32, 'E': 64, 'W': 128}
PATTERN = bytes((i * 7 + (i >> 8) * 13) & 255 for i in range(1 << 20)) * 2
TCP, ICMP = 6, 1


def checksum(data):
    total = sum(memoryview(data + b'\0' * (len(data) & 1)).cast('H'))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack('=H', ~total & 0xffff)


def relative(number, base):
    return ((number - base - 1 + (1 << 31)) & 0xffffffff) - (1 << 31)


def wrapped(number):
    return number & 0xffffffff


def cookie_option(cookie, got):
    """A Fast Open cookie; 'got': the last that was heard."""
    value = cookie['value']
    value = got if value == 'got' else bytes(byte ^ 1 for byte in got) if value == 'bad' else bytes(value)
    head = bytes((254, 4 + len(value), 0xf9, 0x89)) if cookie['kind'] == 254 else bytes((34, 2 + len(value)))
    return b'\1' * (-len(head + value) % 4) + head + value


def arp_frame(arp, mac):
    """`hw` is the last byte of its sender's Ethernet address, 0xff one of a group."""
    source = bytes((1 if arp['hw'] == 0xff else 2, 0, 0, 0, 0, arp['hw']))
    body = struct.pack('!HHBBH', arp.get('hardware', 1), arp.get('protocol', 0x800), 6, 4, arp['op']) + source
    body += socket.inet_aton(arp['sender']) + (source if arp.get('own') else mac if arp['op'] == 2 else bytes(6)) + socket.inet_aton(arp['target'])
    return (b'\xff' * 6 if arp.get('all') else mac) + source + b'\x08\6' + body[:28 - arp.get('short', 0)]


def arp_text(frame):
    return 'arp %d %s to %s hw %d at %d' % (frame[21], socket.inet_ntoa(frame[28:32]), socket.inet_ntoa(frame[38:42]), frame[37], frame[5])


def packets(protocol, payload, ip):
    """IPv4 packets: one, or those that `cuts` makes of it ([from, to, more])."""
    options = bytes(ip.get('options', ()))
    cuts = ip.get('cuts')
    made = []
    for start, end, more in cuts or ((0, len(payload), False),):
        body = payload[start:end]
        size = 20 + len(options) + len(body) + ip.get('longer', 0)
        place = (0x2000 if more else 0) | start >> 3 if cuts else 0x4000 if ip.get('df', True) else 0
        head = struct.pack('!BBHHHBB', ip.get('version', 4) << 4 | ip.get('words', 5 + len(options) // 4), ip.get('tos', 0),
                           size, ip.get('id', 0), place, ip.get('ttl', 64), ip.get('protocol', protocol))
        total = int.from_bytes(checksum(head + b'\0\0' + ENDS + options), 'big') ^ ip.get('spoilt', 0)
        made.append(head + struct.pack('!H', total) + ENDS + options + body + bytes(ip.get('padding', 0)))
    return made


class Wire:
    """One peer's numbers: initial sequence numbers of both, ports, and the last timestamp of ours."""

    def __init__(self, theirs, port, peer_port, jar):
        self.theirs, self.port, self.peer_port, self.jar = theirs, port, peer_port, jar
        self.ours = self.stamp_seen = 0

    def segment(self, segment):
        self.theirs = wrapped(self.theirs + segment.get('rebase', 0))
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
            options += struct.pack('!BBBBII', 1, 1, 8, 10, wrapped(segment['stamp']), echo)
        if 'cookie' in segment:
            options += cookie_option(segment['cookie'], self.jar['cookie'])
        if 'sack' in segment:
            edges = [wrapped(self.ours + 1 + edge) for block in segment['sack'] for edge in block]
            options += struct.pack('!BBBB%dI' % len(edges), 1, 1, 5, 2 + 4 * len(edges), *edges)
        options += bytes(segment.get('options', ()))
        start = self.theirs if 'mss' in segment and seq == 0 else self.theirs + 1 + seq
        ack = self.ours + 1 + segment['ack'] if '.' in flags else 0
        bits = segment.get('words', (20 + len(options)) // 4) << 12 | sum(FLAGS[flag] for flag in flags)
        head = struct.pack('!HHIIHH', self.peer_port, self.port, wrapped(start), wrapped(ack), bits, segment['window'])
        tail = struct.pack('!H', segment.get('urgent', 0)) + options + PATTERN[seq & 0xfffff:][:length]
        total = checksum(ENDS + struct.pack('!HH', TCP, len(head) + 2 + len(tail)) + head + b'\0\0' + tail)
        if segment.get('spoilt'):
            total = bytes((total[0] ^ 1, total[1]))
        return packets(TCP, head + total + tail, segment.get('ip', {}))

    def icmp(self, icmp):
        """An error that quotes a segment of ours, or an echo request."""
        if 'quote' in icmp:
            quote = icmp['quote']
            seq = wrapped(self.ours + 1 + quote['seq'])
            body = struct.pack('!BBHHHBBH', 0x45, 0, quote.get('size', 40), 0, 0x4000, 64, quote.get('protocol', TCP), 0)
            body += ENDS[4:] + ENDS[:4] + struct.pack('!HHI', self.port, self.peer_port, seq) + bytes(quote.get('more', 0))
        else:
            body = PATTERN[:icmp.get('length', 0)]
        head = struct.pack('!BBHI', icmp['type'], icmp['code'], 0, icmp.get('rest', 0))
        total = int.from_bytes(checksum(head + body), 'big') ^ icmp.get('spoilt', 0)
        return packets(ICMP, head[:2] + struct.pack('!H', total) + head[4:] + body, icmp.get('ip', {}))

    def hear(self, packet):
        tcp = packet[(packet[0] & 15) * 4:]
        seq, ack, bits, window = struct.unpack('!IIHH', tcp[4:16])
        header = (bits >> 12) * 4
        if bits & FLAGS['S']:
            self.ours = seq
        words = ['%s %s(%d)' % (''.join(flag for flag in 'SFRPUEW.' if bits & FLAGS[flag]), relative(seq, self.ours) if seq else 'zero',
                                len(tcp) - header)]
        if bits & FLAGS['.']:
            words.append('ack %d' % relative(ack, self.theirs))
        if window == 0 and not bits & FLAGS['R']:
            words.append('window 0')
        if bits & FLAGS['U']:
            words.append('urgent %d' % int.from_bytes(tcp[18:20], 'big'))
        return ' '.join(words + self.options(tcp[20:header]) + self.header(packet))

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
            elif kind in (34, 254):
                cookie = value if kind == 34 else value[2:]
                if cookie:
                    self.jar['cookie'] = cookie
                words.append('cookie %d %s' % (kind, '.'.join(map(str, cookie))))
            else:
                words.append({2: 'mss %d' % int.from_bytes(value, 'big'), 3: 'scale %d' % int.from_bytes(value, 'big'),
                              4: 'sackOk'}.get(kind, 'option %d' % kind))
            at += data[at + 1]
        return words

    def header(self, packet):
        """What is odd about an IP header: most have no TOS, 64 hops, DF, and some identification."""
        tos, number, place, ttl = struct.unpack('!xBxxHHB', packet[:9])
        words = []
        if tos & 3:
            words.append('ecn %d' % (tos & 3))
        if tos & 0xfc:
            words.append('tos %d' % (tos & 0xfc))
        if ttl != 64:
            words.append('ttl %d' % ttl)
        if place != 0x4000:
            words.append('place %x' % place)
        if number == 0:
            words.append('id 0')
        return words


def other(packet):
    """What a packet says that is not TCP."""
    body = packet[(packet[0] & 15) * 4:]
    if packet[9] != ICMP:
        return 'protocol %d' % packet[9]
    tos, place = struct.unpack('!xBxxxxH', packet[:8])
    return 'icmp %d %d rest %d(%d) tos %d place %x ttl %d' % (*body[:2], *struct.unpack('!I', body[4:8]), len(body) - 8, tos, place, packet[8])
