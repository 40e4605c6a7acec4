//go:build linux && !ringfence_portable

package checks

import "testing"

// TestRedisThatWasToldOtherwise: Redis 7 writes its first address into its title, also after CONFIG SET bind. If that is none of its file, the rest of
// what it was told may have changed too.
func TestRedisThatWasToldOtherwise(t *testing.T) {
	for _, c := range []struct{ title, file, want string }{
		{"redis-server 127.0.0.1:6379", "bind 127.0.0.1 -::1\n", dataLocal},
		{"redis-server 0.0.0.0:6379", "bind 127.0.0.1 -::1\n", ""},
		{"redis-server 0.0.0.0:6379", "bind 127.0.0.1\nrequirepass x\n", ""},
		{"redis-server *:6380 [cluster]", "port 6380\nrequirepass x\n", dataAsks},
		{"redis-server 127.0.0.1:6379 [sentinel]", "requirepass x\n", ""},
		{"redis-server -::1:6379", "bind \"-::1 127.0.0.1\"\nprotected-mode no\n", dataNone},
		{"redis-server unixsocket:/run/r.sock", "port 0\nrequirepass x\n", dataAsks},
		{"redis of ours", "bind 127.0.0.1\nrequirepass x\n", dataAsks},
	} {
		s := scanWithProcess(t, map[string]string{"c": c.file, "etc/systemd/system/redis.service": "[Service]\nExecStart=/usr/bin/redis-server /c\n"})
		p := &process{argv: []string{c.title}}
		p.PID, p.Exe, p.Unit = 77, "/usr/bin/redis-check-rdb", "redis.service"
		m, _ := s.dataSettings(p, "Redis")
		if got := m["login"]; got.Value != c.want || (c.want == "") != (got.Reason != "") {
			t.Errorf("%s, %q: %+v, want %q", c.title, c.file, got, c.want)
		}
	}
}

// TestUsersOfRedisInAFile: as Redis 7.0.15 lets in whom who gives no name, by the file of its users and what stands beside it.
func TestUsersOfRedisInAFile(t *testing.T) {
	const all = " ~* &* +@all\n"
	for _, c := range []struct{ users, more, want string }{
		{"user default on nopass" + all, "", dataNone},
		{"user default off\nuser a on >x" + all, "", dataAsks},
		{"user a on >x" + all, "", dataNone},
		{"user a on >x" + all, "requirepass abc\n", dataNone},
		{"", "requirepass abc\n", dataNone},
		{"user default on nopass" + all, "requirepass abc\n", dataNone},
		{"user default on" + all, "", dataAsks},
		{"user default off\nuser b on nopass" + all, "", dataNone},
		{"user default on nopass +ping\n", "", ""},
		{"user a on >x" + all, "protected-mode yes\n", dataLocal},
	} {
		m := settingsAt(t, map[string]string{"c": "protected-mode no\naclfile /u\n" + c.more, "u": c.users}, "redis-server", "/c")
		if got := m["login"]; got.Value != c.want || (c.want == "") != (got.Reason != "") {
			t.Errorf("%q, %q: %+v, want %q", c.users, c.more, got, c.want)
		}
	}
	for files, want := range map[[2]string]string{{"requirepass x\n", "requirepass \"\"\n"}: dataNone, {"", "requirepass x\n"}: dataAsks} {
		m := settingsAt(t, map[string]string{"c": "protected-mode no\ninclude /d/*.conf\n", "d/a.conf": files[0], "d/b.conf": files[1]}, "redis-server", "/c")
		if got := m["login"]; got.Value != want {
			t.Errorf("%q: %+v, want %q", files, got, want)
		}
	}
}
