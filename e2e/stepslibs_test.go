//go:build linux

package e2e

import (
	"maps"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/power"
)

// Sources of what loads and is loaded: who builds them has the compiler.
const (
	harmlessLibrary = "echo 'int foo(void){return 0;}' >/run/lib/good.c; gcc -shared -fPIC -Wl,-soname,libfoo.so -o /run/lib/libfoo.so /run/lib/good.c; "
	loadingProgram  = "echo 'extern int foo(void); int main(void){return foo();}' >/run/lib/main.c; gcc -o /usr/bin/expiry /run/lib/main.c -L /run/lib -lfoo "
	otherLibrary    = "cp /run/lib/bad.so "
)

// library is a step that puts a library where a set-id program looks for it.
func library(goal power.Goal, options, prepare, at, mend string) step {
	return step{
		goal, power.ByProgram, "mkdir -p /opt/lib /run/empty; chmod 755 /run/lib /run/empty; " + harmlessLibrary + loadingProgram + options + " || exit; " + prepare,
		"cd /run/empty; cd /opt/here 2>/dev/null; " + otherLibrary + at + "; /usr/bin/expiry", "", "test $(cat /run/steps/proof) = 0", mend,
	}
}

// TestLibrariesAreSteps: who decides of a library that a program with other powers loads, or of a directory where it looks for one, has them. Where the
// loader does not look, nothing is decided.
func TestLibrariesAreSteps(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "setpriv", "setcap", "sudo", "gcc", "perl")
	agentScene(t)
	bed.Shell(t, "mkdir -p /run/lib; cat >/run/lib/bad.c <<'E'\n%s\nE\ngcc -shared -fPIC -Wl,-soname,libfoo.so -o /run/lib/bad.so /run/lib/bad.c; chmod 755 /run/lib", `
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void x(void) {
	FILE *f = setuid(0) == 0 ? fopen("/run/steps/proof", "w") : 0;
	if (f) { fputc('0', f); fclose(f); }
}
int foo(void) { return 0; }`)
	const setid = "chmod 4755 /usr/bin/expiry; "
	list := map[string]step{
		"a directory where a set-id program looks": library(power.Root, "-Wl,--enable-new-dtags,-rpath,/opt/lib", "cp /run/lib/libfoo.so /opt/lib; chmod 777 /opt/lib; "+setid, "/opt/lib/x; mv /opt/lib/x /opt/lib/libfoo.so", "chmod 755 /opt/lib; cp --remove-destination /run/lib/libfoo.so /opt/lib"),
		"a library that a set-id program loads":    library(power.Root, "-Wl,--disable-new-dtags,-rpath,/opt/lib", "cp /run/lib/libfoo.so /opt/lib; chmod 666 /opt/lib/libfoo.so; "+setid, "/opt/lib/libfoo.so", "cp --remove-destination /run/lib/libfoo.so /opt/lib; chmod 644 /opt/lib/libfoo.so"),
		"a directory that is not there yet":        library(power.Root, "-Wl,--enable-new-dtags,-rpath,/opt/all/lib:/opt/lib", "cp /run/lib/libfoo.so /opt/lib; mkdir -m 777 /opt/all; "+setid, "/run/empty/none 2>/dev/null; mkdir /opt/all/lib; cp /run/lib/bad.so /opt/all/lib/libfoo.so", "rm -rf /opt/all; mkdir -m 755 /opt/all"),
		"a directory of the loader's cache": library(power.Root, "", "cp /run/lib/libfoo.so /opt/lib; chmod 755 /opt/lib; echo /opt/lib >/etc/ld.so.conf.d/opt.conf; ldconfig; chmod 777 /opt/lib; "+setid, "/opt/lib/x; mv /opt/lib/x /opt/lib/libfoo.so",
			"rm -f /opt/lib/libfoo.so; cp /run/lib/libfoo.so /opt/lib/; chmod 755 /opt/lib"),
		"the directory in which it is started": library(power.Root, "-Wl,--enable-new-dtags,-rpath,/nowhere::", "mkdir -m 777 /opt/here; "+setid, "/opt/here/libfoo.so", "rm /usr/bin/expiry"),
		"the directory of a library": library(power.Root, "-Wl,--enable-new-dtags,-rpath,/opt/mid -Wl,--no-as-needed -L /opt/mid -lmid -Wl,--allow-shlib-undefined",
			"cp /run/lib/libfoo.so /opt/lib; chmod 777 /opt/lib; "+setid, "/opt/lib/x; mv /opt/lib/x /opt/lib/libfoo.so", "chmod 755 /opt/lib; cp --remove-destination /run/lib/libfoo.so /opt/lib"),
		"the capabilities of a program that looks": library(power.Root, "-Wl,--enable-new-dtags,-rpath,/opt/lib", "cp /run/lib/libfoo.so /opt/lib; chmod 777 /opt/lib; setcap cap_setuid+ep /usr/bin/expiry", "/opt/lib/x; mv /opt/lib/x /opt/lib/libfoo.so",
			"chmod 755 /opt/lib; cp --remove-destination /run/lib/libfoo.so /opt/lib"),
	}
	mid := list["the directory of a library"]
	mid.prepare = "mkdir -p /opt/mid; " + harmlessLibrary + "echo 'extern int foo(void); int mid(void){return foo();}' >/run/lib/mid.c; " +
		"gcc -shared -fPIC -Wl,-soname,libmid.so -o /opt/mid/libmid.so /run/lib/mid.c -L /run/lib -lfoo '-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib'; " +
		"mkdir -p /opt/lib /run/empty; chmod 755 /run/empty; echo 'extern int mid(void); int main(void){return mid();}' >/run/lib/main.c; " +
		"gcc -o /usr/bin/expiry /run/lib/main.c -L /opt/mid -lmid -Wl,-rpath-link,/run/lib -Wl,--enable-new-dtags,-rpath,/opt/mid; cp /run/lib/libfoo.so /opt/lib; chmod 777 /opt/lib; " + setid
	list["the directory of a library"] = mid
	names := maps.Clone(list)
	names["a library of a program of cron"] = step{
		power.Root, power.ByFile, "mkdir -p /opt/lib; " + harmlessLibrary + loadingProgram + "'-Wl,--enable-new-dtags,-rpath,$ORIGIN/../../opt/lib'; cp /run/lib/libfoo.so /opt/lib; chmod 777 /opt/lib; " +
			"chmod 755 /usr/bin/expiry; echo '* * * * * root expiry' >/etc/cron.d/job",
		otherLibrary + "/opt/lib/x; mv /opt/lib/x /opt/lib/libfoo.so", "expiry", "test $(cat /run/steps/proof) = 0", "chmod 755 /opt/lib; cp --remove-destination /run/lib/libfoo.so /opt/lib",
	}
	names["a library of a program that a rule of sudo allows"] = step{
		power.Root, power.BySudo, "mkdir -p /opt/lib; " + harmlessLibrary + loadingProgram + "-Wl,--enable-new-dtags,-rpath,/opt/lib; cp /run/lib/libfoo.so /opt/lib; chmod 777 /opt/lib; " +
			"chmod 755 /usr/bin/expiry; echo 'agent ALL=(root) NOPASSWD: /usr/bin/expiry' >/etc/sudoers.d/agent; chmod 440 /etc/sudoers.d/agent",
		otherLibrary + "/opt/lib/x; mv /opt/lib/x /opt/lib/libfoo.so; sudo -n /usr/bin/expiry", "", "test $(cat /run/steps/proof) = 0",
		"rm /etc/sudoers.d/agent; chmod 755 /opt/lib; cp --remove-destination /run/lib/libfoo.so /opt/lib",
	}
	for name, c := range names {
		takeSteps(t, map[string]step{name: c})
		bed.Shell(t, "rm -rf /opt/* /usr/bin/expiry; if rm /etc/ld.so.conf.d/opt.conf; then ldconfig; fi")
	}
	for name, c := range map[string]step{ // the loader looks there for others, and not with other powers
		"the directory above a set-id program": library(power.Root, "'-Wl,--enable-new-dtags,-rpath,$ORIGIN/../../opt/lib:/run/lib'", "chmod 777 /opt/lib; "+setid, "/opt/lib/libfoo.so", ""),
		"a variable":                           library(power.Root, "-Wl,--enable-new-dtags,-rpath,/run/lib", "chmod 777 /opt/lib; "+setid, "/opt/lib/libfoo.so; export LD_LIBRARY_PATH=/opt/lib", ""),
	} {
		t.Run("not "+name, func(t *testing.T) {
			bed.Shell(t, "%s", c.prepare)
			if a := ask(t, c.goal); a.Verdict == power.Yes {
				t.Errorf("%s by %+v", a.Verdict, a.Path)
			}
			if taken(t, c.step, c.later, c.proof) {
				t.Error("the step is taken, and was not found")
			}
			bed.Shell(t, "rm -rf /opt/* /usr/bin/expiry")
		})
	}
}
