/*
 * The receive checksum engine: looks into a frame just read and says which checksums hold, as hardware does
 * in its receive descriptor. It judges checksums only; malformed lengths are the stack's to refuse.
 */
#include "internal.h"

#include <netinet/in.h>

static inline uint32_t get16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }

static inline uint32_t l4_verdict(uint64_t sum) {
  return csum_fold(sum) == 0xffff ? NIC_RX_L4_OK : NIC_RX_L4_BAD;
}

uint32_t nic_verdict(const uint8_t *frame, uint32_t length) {
  if (length < ETH_HEADER + 20 || get16(frame + 12) != 0x0800)
    return NIC_RX_L4_NONE;
  const uint8_t *ip = frame + ETH_HEADER;
  uint32_t header = (ip[0] & 15u) * 4, total = get16(ip + 2);
  if (ip[0] >> 4 != 4 || header < 20 || total < header || total > length - ETH_HEADER)
    return NIC_RX_L4_NONE;
  if (csum_fold(csum_add(0, ip, header)) != 0xffff)
    return NIC_RX_IP_BAD | NIC_RX_L4_NONE;
  if ((get16(ip + 6) & 0x3fff) != 0) /* MF or an offset: the checksum spans other fragments */
    return NIC_RX_L4_NONE;

  const uint8_t *l4 = ip + header;
  uint32_t size = total - header;
  switch (ip[9]) {
  case IPPROTO_TCP:
    return size < 20 ? NIC_RX_L4_NONE : l4_verdict(csum_add(csum_pseudo4(ip, IPPROTO_TCP, size), l4, size));
  case IPPROTO_UDP: {
    uint32_t udp = size < 8 ? 0 : get16(l4 + 4); /* the datagram may end before the packet does */
    if (udp < 8 || udp > size)
      return NIC_RX_L4_NONE;
    if (get16(l4 + 6) == 0) /* RFC 768: the sender generated none */
      return NIC_RX_L4_OK;
    return l4_verdict(csum_add(csum_pseudo4(ip, IPPROTO_UDP, udp), l4, udp));
  }
  case IPPROTO_ICMP:
    return size < 8 ? NIC_RX_L4_NONE : l4_verdict(csum_add(0, l4, size));
  default:
    return NIC_RX_L4_NONE;
  }
}
