package winhost

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// serviceOfSSH is the registry of a host that has the server.
const serviceOfSSH = "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\sshd]\r\n" +
	"\"ImagePath\"=\"COMMAND\"\r\n\"Start\"=dword:00000002\r\n"

// TestSSHOfWindows: what the server makes of its file, Match blocks and what it includes too, is what is told; what was not told, or is given
// otherwise, is unknown.
func TestSSHOfWindows(t *testing.T) {
	const own = `C:\\Windows\\System32\\OpenSSH\\sshd.exe`
	for name, c := range map[string]struct {
		command string
		files   map[string]string
		want    string // state, and the contexts in which a password logs in
	}{
		"the default":       {own, map[string]string{"sshd_config": "#PasswordAuthentication yes\r\nMatch Group administrators\r\n  AuthorizedKeysFile x\r\n"}, "present: , Group administrators"},
		"closed":            {own, map[string]string{"ssh/sshd_config": "PasswordAuthentication no\r\n"}, "present"},
		"open to one group": {own, map[string]string{"sshd_config": "PasswordAuthentication no\nMatch Group \"domain users\"\n PasswordAuthentication yes\n"}, "present: Group domain users"},
		"quoted command":    {`\"C:\\Program Files\\OpenSSH\\sshd.exe\"`, map[string]string{"sshd_config": "PasswordAuthentication no\n"}, "present"},
		"what it includes": {own, map[string]string{
			"ProgramData/ssh/sshd_config": `Include __PROGRAMDATA__\ssh\sshd_config.d\*.conf` + "\nPasswordAuthentication yes\n", "ProgramData/ssh/sshd_config.d/A.conf": "PasswordAuthentication no\n",
		}, "present"},
		"by a name of its own":      {own, map[string]string{"sshd_config": "Include sshd_config.d/*.conf\n", "sshd_config.d/a.conf": "passwordauthentication no\n"}, "present"},
		"includes what is not told": {own, map[string]string{"sshd_config": "Include sshd_config.d/*.conf\n"}, "error"},
		"includes of elsewhere":     {own, map[string]string{"sshd_config": `Include D:\x.conf` + "\n"}, "error"},
		"other encoding":            {own, map[string]string{"sshd_config": "\xff\xfeP\x00"}, "error"},
		"a mark of UTF-8":           {own, map[string]string{"sshd_config": "\xef\xbb\xbfPasswordAuthentication no\r\n"}, "present"},
		"no file told":              {own, nil, "error"},
		"arguments":                 {own + ` -f C:\\x`, map[string]string{"sshd_config": "PasswordAuthentication no\n"}, "error"},
		"another program":           {`C:\\x\\bitvise.exe`, map[string]string{"sshd_config": "PasswordAuthentication no\n"}, "error"},
	} {
		files := []File{text("a.reg", strings.ReplaceAll(serviceOfSSH, "COMMAND", c.command))}
		for n, config := range c.files {
			files = append(files, text(n, config))
		}
		s, ignored, err := FromFiles(files)
		if err != nil {
			t.Fatalf("%s: %v %v", name, err, ignored)
		}
		w := s.ssh()
		var open []string
		for _, ctx := range w.Contexts {
			if ctx.Settings["passwordauthentication"][0] == "yes" {
				open = append(open, ctx.Match)
			}
		}
		got := string(w.Config.State)
		if len(open) > 0 {
			got += ": " + strings.Join(open, ", ")
		}
		if got != c.want || w.Config.State == snapshot.Error && w.Config.Reason == "" {
			t.Errorf("%s: %q (%s), want %q", name, got, w.Config.Reason, c.want)
		}
	}
}
