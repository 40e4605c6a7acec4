//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/sshd"
)

const someKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl a@b"

func TestUsableKeys(t *testing.T) {
	for name, c := range map[string]struct {
		text           string
		plain, limited bool
	}{
		"a key":                 {someKey, true, false},
		"nothing":               {"\n# " + someKey + "\n", false, false},
		"no key of its type":    {"ssh-ed25519 AAAA", false, false},
		"a word":                {"ssh-ed25519", false, false},
		"restrict":              {"restrict,pty " + someKey, true, false},
		"quotes":                {`environment="A=b c" ` + someKey, true, false},
		"a forced command":      {`command="/bin/backup \"x y\"" ` + someKey, false, true},
		"from somewhere":        {`from="10.0.0.1" ` + someKey, false, true},
		"for a time":            {`expiry-time="20300101" ` + someKey, false, true},
		"an authority":          {"cert-authority " + someKey, false, true},
		"one of two":            {`from="10.0.0.1" ` + someKey + "\n" + someKey, true, true},
		"a type that was taken": {"ssh-dss AAAAB3NzaC1kc3MAAACBAA==", false, false},
	} {
		if plain, limited := usableKeys([]byte(c.text), nil); plain != c.plain || limited != c.limited {
			t.Errorf("%s: %v %v", name, plain, limited)
		}
	}
}

func TestAdmitted(t *testing.T) {
	for name, c := range map[string]struct {
		uid      int
		settings map[string][]string
		want     snapshot.Login
	}{
		"by default":              {1000, map[string][]string{}, snapshot.Yes},
		"no keys":                 {1000, map[string][]string{"pubkeyauthentication": {"no"}}, snapshot.No},
		"a key and a password":    {1000, map[string][]string{"authenticationmethods": {"publickey,password"}}, snapshot.No},
		"a key or both":           {1000, map[string][]string{"authenticationmethods": {"publickey,password publickey"}}, snapshot.Yes},
		"any":                     {1000, map[string][]string{"authenticationmethods": {"any"}}, snapshot.Yes},
		"root":                    {0, map[string][]string{"permitrootlogin": {"no"}}, snapshot.No},
		"root with a key":         {0, map[string][]string{"permitrootlogin": {"without-password"}}, snapshot.Yes},
		"others are allowed":      {1000, map[string][]string{"allowusers": {"x y"}}, snapshot.No},
		"a pattern allows":        {1000, map[string][]string{"allowusers": {"x", "a*"}}, snapshot.Yes},
		"from somewhere":          {1000, map[string][]string{"allowusers": {"a@10.0.0.0/8"}}, ""},
		"denied":                  {1000, map[string][]string{"denyusers": {"a"}}, snapshot.No},
		"a group of others":       {1000, map[string][]string{"allowgroups": {"wheel"}}, snapshot.No},
		"its group":               {1000, map[string][]string{"allowgroups": {"staff"}}, snapshot.Yes},
		"its group is denied":     {1000, map[string][]string{"denygroups": {"staff"}}, snapshot.No},
		"all but some are let in": {1000, map[string][]string{"allowusers": {"!b", "a"}}, ""},
	} {
		if got, why := admitted(user{name: "a", uid: c.uid}, c.settings, []string{"staff"}); got != c.want {
			t.Errorf("%s: %q (%s)", name, got, why)
		}
	}
}

// TestKeysThatTheServerRefuses: a key of a type, or of a length, that the settings do not take lets nobody in.
func TestKeysThatTheServerRefuses(t *testing.T) {
	rsa := func(bits int) string {
		n := append([]byte{0}, bytes.Repeat([]byte{0xff}, bits/8)...)
		var b []byte
		for _, field := range [][]byte{[]byte("ssh-rsa"), {1, 0, 1}, n} {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(field))), field...)
		}
		return "ssh-rsa " + base64.StdEncoding.EncodeToString(b)
	}
	only := func(list string) map[string][]string { return map[string][]string{"pubkeyacceptedalgorithms": {list}} }
	for name, c := range map[string]struct {
		key      string
		settings map[string][]string
		want     bool
	}{
		"any type":               {someKey, nil, true},
		"its type":               {someKey, only("rsa-sha2-512,ssh-ed25519"), true},
		"other types":            {someKey, only("sk-ssh-ed25519@openssh.com,rsa-sha2-512"), false},
		"RSA by SHA-2":           {rsa(2048), only("rsa-sha2-512"), true},
		"no RSA":                 {rsa(2048), only("ssh-ed25519"), false},
		"a short one":            {rsa(1024), map[string][]string{"requiredrsasize": {"2048"}}, false},
		"shorter than any takes": {rsa(768), nil, false},
		"in an older server":     {someKey, map[string][]string{"pubkeyacceptedkeytypes": {"ssh-rsa"}}, false},
		"behind options":         {"restrict,pty " + rsa(2048), only("ssh-ed25519"), false},
	} {
		if plain, _ := usableKeys([]byte(c.key), c.settings); plain != c.want {
			t.Errorf("%s: %v", name, plain)
		}
	}
}

// TestKeysElsewhere: files of keys, of names and of authorities count where the configuration has them, for the accounts that it is about. What
// sshd asks nothing about counts before it is there.
func TestKeysElsewhere(t *testing.T) {
	bed := t.TempDir()
	write := func(file, text string, perm os.FileMode) {
		writeFile(t, filepath.Join(bed, file), text)
		if err := os.Chmod(filepath.Join(bed, file), perm); err != nil {
			t.Fatal(err)
		}
	}
	write("etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\ngit:x:1001:1001::/srv/git:/bin/sh\n", 0o644)
	write("etc/group", "root:x:0:\nann:x:1000:\ngit:x:1001:\n", 0o644)
	write("etc/ssh/keys/root", "k", 0o644)
	write("etc/ssh/keys/ann", "k", 0o666)
	write("srv/git/keys", "k", 0o666)
	write("srv/open/x", "", 0o644)
	write("etc/ssh/ca.pub", "k", 0o666)
	write("etc/ssh/names", "k", 0o662)
	if err := os.Chmod(filepath.Join(bed, "srv/open"), 0o777); err != nil {
		t.Fatal(err)
	}
	users := map[string]*sshd.User{
		"root": {Name: "root", Real: true}, "ann": {Name: "ann", UID: 1000, Real: true}, "git": {Name: "git", UID: 1001, Real: true},
		"nobody": {Name: "ringfence-nobody", UID: -1},
	}
	for name, c := range map[string]struct {
		who      []string
		settings map[string][]string
		want     string
	}{
		"by name":              {[]string{"root", "ann", "nobody"}, map[string][]string{"authorizedkeysfile": {"/etc/ssh/keys/%u .ssh/authorized_keys"}}, "ann /etc/ssh/keys/ann"},
		"below the home":       {[]string{"git"}, map[string][]string{"authorizedkeysfile": {"%h/keys"}}, "git /srv/git/keys"},
		"without keys":         {[]string{"git"}, map[string][]string{"authorizedkeysfile": {"keys"}, "pubkeyauthentication": {"no"}}, ""},
		"kept out":             {[]string{"git"}, map[string][]string{"authorizedkeysfile": {"keys"}, "denyusers": {"git"}}, ""},
		"authorities":          {[]string{"root"}, map[string][]string{"trustedusercakeys": {"/etc/ssh/ca.pub"}}, " /etc/ssh/ca.pub authorities"},
		"names":                {[]string{"root"}, map[string][]string{"authorizedprincipalsfile": {"/etc/ssh/names"}}, "root /etc/ssh/names principals"},
		"none":                 {[]string{"root"}, map[string][]string{"authorizedprincipalsfile": {"none"}, "trustedusercakeys": {"none"}}, ""},
		"not there":            {[]string{"ann"}, map[string][]string{"authorizedkeysfile": {"/srv/open/%u"}}, ""},
		"not there, not asked": {[]string{"ann"}, map[string][]string{"authorizedkeysfile": {"/srv/open/%u"}, "strictmodes": {"no"}}, "ann /srv/open/ann"},
	} {
		r, sec, out := new(sshReader), new(snapshot.SSH), new(Outcome)
		var list []*sshd.User
		for _, n := range c.who {
			list = append(list, users[n])
		}
		r.notePlaces(list, c.settings)
		newScan(host.At(bed)).placedKeys(t.Context(), sec, r, out)
		got := ""
		for _, k := range sec.KeyFiles {
			got = strings.TrimRight(k.User+" "+k.Path+" "+k.What, " ")
		}
		if got != c.want || len(sec.KeyFiles) > 1 {
			t.Errorf("%s: %+v %v", name, sec.KeyFiles, out)
		}
	}
}

// TestKeysThatStrictModesKeepsOut: a file of keys that others can write is read without StrictModes alone. One that is well beside it lets in with it too.
func TestKeysThatStrictModesKeepsOut(t *testing.T) {
	bed := t.TempDir()
	s := newScan(host.At(bed))
	file := filepath.Join(bed, "keys/loose")
	writeFile(t, file, someKey)
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	u := user{name: "root", home: "/root"}
	for name, c := range map[string]struct {
		settings map[string][]string
		want     bool
	}{
		"off":           {map[string][]string{"strictmodes": {"no"}, "usepam": {"yes"}, "authorizedkeysfile": {"/keys/loose"}}, true},
		"on":            {map[string][]string{"strictmodes": {"yes"}, "usepam": {"yes"}, "authorizedkeysfile": {"/keys/loose"}}, false},
		"no such file":  {map[string][]string{"strictmodes": {"no"}, "usepam": {"yes"}, "authorizedkeysfile": {"/keys/none"}}, false},
		"no keys taken": {map[string][]string{"strictmodes": {"no"}, "authorizedkeysfile": {"/keys/loose"}, "pubkeyauthentication": {"no"}}, false},
	} {
		if why := s.looseKeys(u, c.settings); (why != "") != c.want {
			t.Errorf("%s: %q", name, why)
		}
	}
}
