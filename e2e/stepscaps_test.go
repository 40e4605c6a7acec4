//go:build linux

package e2e

import (
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/power"
)

// Programs of the steps by capabilities: one that starts a set-id program in a directory as /, its loader there, and one that opens a disk by a file of its own.
const (
	startsInRoot = `#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int c, char **v) {
	int f = open(v[1], O_RDONLY);
	char *a[] = {"x", 0}, *e[] = {0};
	if (f < 0 || chroot(v[2]) || chdir("/")) return 1;
	syscall(SYS_execveat, f, "", a, e, AT_EMPTY_PATH);
	return 1;
}`
	otherLoader = `static long call(long n, long a, long b, long c) {
	long r;
	__asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return r;
}
void _start(void) {
	char c;
	call(105, 0, 0, 0);
	c = call(107, 0, 0, 0) ? '1' : '0';
	call(1, call(2, (long)"/proof", 0101, 0666), (long)&c, 1);
	call(60, 0, 0, 0);
}`
	opensDisk = `#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
int main(void) {
	char c;
	int f = mknod("/run/steps/disk", S_IFBLK | 0600, makedev(7, 41)) ? -1 : open("/run/steps/disk", O_RDWR);
	return f < 0 || read(f, &c, 1) != 1 || write(1, &c, 1) != 1;
}`
)

// TestCapabilitiesAreSteps: capabilities that give a group, a set-id program with a loader of one's own, or a disk are told and used, and not where they are taken away.
func TestCapabilitiesAreSteps(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "setpriv", "setcap", "gcc", "perl", "losetup")
	agentScene(t)
	bed.Shell(t, "mkdir /run/c; cat >/run/c/a.c <<'E'\n%s\nE\ncat >/run/c/b.c <<'E'\n%s\nE\ncat >/run/c/d.c <<'E'\n%s\nE\ncd /run/c; gcc -o a a.c; gcc -nostdlib -static -O1 -fno-stack-protector -o b b.c; gcc -o d d.c",
		startsInRoot, otherLoader, opensDisk)
	takeSteps(t, map[string]step{
		"CAP_SETGID": {
			power.Root, power.ByProgram, openScript + "chmod 775 /opt/job/run; chgrp games /opt/job/run; echo '* * * * * root /opt/job/run' >/etc/cron.d/job; cp /usr/bin/perl /usr/local/bin; setcap cap_setgid=ep /usr/local/bin/perl",
			`perl -e '$) = "60 60"; open(F, ">>/opt/job/run") or die; print F "id -u >/run/steps/proof\n"'`, "sh /opt/job/run", asRoot, "setcap -r /usr/local/bin/perl; printf '#!/bin/sh\n' >/opt/job/run",
		},
		"CAP_SYS_CHROOT": {
			power.Root, power.ByProgram, "cp /run/c/a /usr/local/bin/perl; setcap cap_sys_chroot=ep /usr/local/bin/perl; mkdir -p /opt/job/lib64; chmod 777 /opt/job; install -m 755 /run/c/b /opt/job/lib64/ld-linux-x86-64.so.2",
			"/usr/local/bin/perl /usr/bin/su /opt/job; cp /opt/job/proof /run/steps/proof", "", asRoot, "setcap -r /usr/local/bin/perl; rm -f /opt/job/proof",
		},
	})
	takeSteps(t, map[string]step{
		"a set-id program until its directory is closed": {
			power.Root, power.ByProgram, "mkdir -p /opt/job; cp /usr/bin/find /opt/job; chmod 4755 /opt/job/find; chmod 755 /opt/job", "/opt/job/find /opt -maxdepth 0 -exec sh -p -c 'id -u >/run/steps/proof' ';'",
			"", asRoot, "chmod 700 /opt/job",
		},
	})
	t.Run("CAP_MKNOD", func(t *testing.T) {
		bed.Shell(t, "cp /run/c/d /usr/local/bin/perl; setcap cap_mknod=ep /usr/local/bin/perl; mknod -m 600 /dev/loop41 b 7 41 || true; printf '0%%2000s' . >/run/c/img; losetup /dev/loop41 /run/c/img")
		defer bed.Shell(t, "losetup -d /dev/loop41")
		if a := ask(t, power.Root); a.Verdict != power.Unknown || a.Unsearched {
			t.Errorf("%s by %+v, %v", a.Verdict, a.Path, a.Because)
		}
		if !taken(t, "/usr/local/bin/perl >/run/steps/proof", "", asRoot) {
			t.Error("the step is not taken")
		}
	})
}
