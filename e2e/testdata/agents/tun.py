"""Holds a tun device of its network namespace open."""
import fcntl
import os
import struct
import time

fd = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x1001))  # TUNSETIFF: IFF_TUN, IFF_NO_PI
time.sleep(1000)
