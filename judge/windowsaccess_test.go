package judge

import (
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestUnquotedPaths: of a command with blanks and no quotes Windows tries what is before the first blank.
func TestUnquotedPaths(t *testing.T) {
	for image, want := range map[string]string{
		`C:\Program Files\A B\svc.exe -k x`: `C:\Program.exe`, `"C:\Program Files\A B\svc.exe" -k`: "", `C:\Windows\system32\svchost.exe -k netsvcs -p`: "",
		`%SystemRoot%\System32\svchost.exe -k a.exe b`: "", `svchost.exe -k`: "", `D:\My Tools\x`: "", `  C:\a\b c\d.EXE`: `C:\a\b.exe`, "": "",
		`\SystemRoot\System32\drivers\x.sys`: "", `cmd /c C:\x y\z.exe`: "",
	} {
		if got := unquoted(image); got != want {
			t.Errorf("%s: %q, want %q", image, got, want)
		}
	}
}

// TestKeysOfAdministrators: who may write the keys of administrators of the SSH server is told, and that it was not read.
func TestKeysOfAdministrators(t *testing.T) {
	w := &snapshot.Windows{Services: snapshot.WindowsServices{List: []snapshot.WindowsService{{Name: "SSHD", Start: 2, Image: `C:\Program Files\OpenSSH\sshd.exe`}}}}
	keys := func() DocWindowsAccess {
		list := windowsControl(w)
		if list[1].Before != `C:\Program.exe` {
			t.Errorf("%+v", list[1])
		}
		return list[len(list)-1]
	}
	w.SSH.AdminKeys.Read.State = snapshot.Error
	if k := keys(); k.What != "keys" || k.Read != "error" || len(k.Who) > 0 {
		t.Errorf("%+v", k)
	}
	w.SSH.AdminKeys = snapshot.WindowsACL{Read: snapshot.Fact{State: snapshot.Present}, Owner: "S-1-5-18", Entries: []snapshot.WindowsAccess{
		{SID: "S-1-5-32-544", Mask: 0x1f01ff, Allow: true}, {SID: "S-1-5-11", Mask: 0x1301bf, Allow: true}, {SID: "S-1-5-32-545", Mask: 0x1200a9, Allow: true},
	}}
	if k := keys(); len(k.Who) != 1 || k.Who[0] != "S-1-5-11" {
		t.Errorf("%+v", k)
	}
}
