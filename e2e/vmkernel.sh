# Sourced by the scripts with guests: installs "PROGRAM PACKAGE" pairs that are missing, fetches Debian's kernel into
# build/vm/kernel, and names its image.
missing=
while [ $# -gt 0 ]; do
	command -v "$1" >/dev/null || missing="$missing $2"
	shift 2
done
if [ -n "$missing" ]; then
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing seabios >/dev/null
fi
work=build/vm
mkdir -p $work
if ! ls $work/kernel/boot/vmlinuz-* >/dev/null 2>&1; then
	image=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
	(cd $work && apt-get download -qq "$image" && dpkg-deb -x linux-image-*.deb kernel && rm linux-image-*.deb)
fi
kernel=$(ls $work/kernel/boot/vmlinuz-* | head -1)
# guest runs a system of this machine's processor without its devices: it is given the initial RAM disk and the serial ports.
guest() {
	initrd=$1; shift
	timeout 600 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 1024 -no-reboot -kernel "$kernel" -initrd "$initrd" \
		-append "console=ttyS0 panic=-1 quiet mitigations=off random.trust_cpu=on" -nodefaults -display none -monitor none "$@"
}
