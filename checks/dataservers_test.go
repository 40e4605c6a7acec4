//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// manyUsers are as many users of Redis as are kept, each with a password.
func manyUsers() string {
	var b strings.Builder
	for i := range maxServices {
		fmt.Fprintf(&b, "user u%d on >x +@all\n", i)
	}
	return b.String()
}

// TestServersOfDataAsk: who is let in is what the real servers did, started with these arguments and files (Redis 7.0, memcached 1.6, Mosquitto
// 2.0, NATS 2.9, PostgreSQL 15, MariaDB 10.11, rsync 3.2, Samba 4.17, InfluxDB 1.6, vsftpd 3.0 of Debian 12).
func TestServersOfDataAsk(t *testing.T) {
	file := func(text string) map[string]string { return map[string]string{"c": text} }
	unix := "local all all trust\n"
	for name, c := range map[string]struct {
		files map[string]string
		argv  string
		want  string // "" is not known
		gives string
	}{
		"redis":                          {nil, "redis-server --port 6379", dataLocal, ""},
		"redis, open":                    {nil, "redis-server --bind 0.0.0.0 --protected-mode no", dataNone, "writes"},
		"redis, a password":              {nil, "redis-server --bind 0.0.0.0 --requirepass x --protected-mode no", dataAsks, ""},
		"redis, a user that is off":      {nil, "redis-server --protected-mode no --user default off", dataAsks, ""},
		"redis, a user with a password":  {nil, "redis-server --protected-mode no --user default on +@all >x", dataAsks, ""},
		"redis, nopass":                  {nil, "redis-server --protected-mode no --user default on nopass +@all", dataNone, ""},
		"redis, nopass over a password":  {nil, "redis-server --protected-mode no --requirepass x --user default on nopass +@all", dataNone, ""},
		"redis, a user without one":      {nil, "redis-server --protected-mode no --user default on ~* +@all", dataAsks, ""},
		"redis, a password takes nopass": {nil, "redis-server --protected-mode no --user default on nopass >y +@all", dataAsks, ""},
		"redis, nopass takes passwords":  {nil, "redis-server --protected-mode no --user default on >y nopass +@all", dataNone, ""},
		"redis, resetpass":               {nil, "redis-server --protected-mode no --user default on nopass +@all resetpass", dataAsks, ""},
		"redis, another user":            {nil, "redis-server --protected-mode yes --user default off --user bob on nopass +@all", dataNone, "writes"},
		"redis, another user, in part":   {nil, "redis-server --requirepass x --user bob on nopass +ping", "", ""},
		"redis, more users than kept":    {file(manyUsers() + "user bob on nopass +@all\n"), "redis-server /c --requirepass x", "", ""},
		"redis, another user, taken":     {nil, "redis-server --requirepass x --user bob on nopass +@all -@all", "", ""},
		"redis, its file":                {file("bind 127.0.0.1 -::1\nprotected-mode yes\n"), "redis-server /c --supervised systemd", dataLocal, ""},
		"redis, options after its file":  {file("protected-mode yes\n"), "redis-server /c --protected-mode no", dataNone, ""},
		"redis, an included file":        {map[string]string{"c": "protected-mode no\ninclude /d\n", "d": "requirepass \"x\"\n"}, "redis-server /c", dataAsks, ""},
		"redis, no file":                 {nil, "redis-server /c", "", ""},
		"redis, access lists":            {file("protected-mode no\naclfile /u\n"), "redis-server /c", "", ""},
		"redis, by its version":          {nil, "redis-server --bind 0.0.0.0", "", ""},
		"valkey":                         {nil, "valkey-server --bind 0.0.0.0", dataLocal, ""},
		"redis, its title":               {nil, "redis-server", "", ""},
		"memcached":                      {nil, "memcached -u nobody -l 0.0.0.0", dataNone, "writes"},
		"memcached with SASL":            {nil, "memcached -vS", dataAsks, ""},
		"memcached, letters together":    {nil, "memcached -dS -m64", dataAsks, ""},
		"memcached, a value of a name":   {nil, "memcached -u nobody -D S", dataNone, ""},
		"memcached, a value with it":     {nil, "memcached -uYS -l0.0.0.0", dataNone, ""},
		"memcached, letters and a value": {nil, "memcached -vY /u", dataAsks, ""},
		"memcached, certificates":        {nil, "memcached -Z -o ssl_verify_mode=2", dataAsks, ""},
		"memcached, no TLS for it":       {nil, "memcached -o ssl_verify_mode=2", dataNone, ""},
		"memcached, a long value":        {nil, "memcached --pidfile -S -P /q", dataNone, ""},
		"memcached, a value of a path":   {nil, "memcached -Z -P/x,ssl_verify_mode=2", dataNone, ""},
		"memcached, after the options":   {nil, "memcached -- -S", dataNone, ""},
		"memcached, a word before":       {nil, "memcached x -S", dataAsks, ""},
		"memcached, a short long name":   {nil, "memcached --auth=/u", dataAsks, ""},
		"memcached, long certificates":   {nil, "memcached --enable-ssl --extended modern,ssl_verify_mode=3", dataAsks, ""},
		"memcached, the last counts":     {nil, "memcached -Z -o ssl_verify_mode=2 -o ssl_verify_mode=0", dataNone, ""},
		"memcached, UDP has no TLS":      {nil, "memcached -Z -o ssl_verify_mode=2 -U11212", dataNone, ""},
		"memcached, UDP is off":          {nil, "memcached -Z -o ssl_verify_mode=2 -U 11212 --udp-port=0", dataAsks, ""},
		"memcached, one without TLS":     {nil, "memcached -Z -o ssl_verify_mode=2 -l 127.0.0.1,notls:[::1]:7001", dataNone, ""},
		"memcached, a named port":        {nil, "memcached -Z -o ssl_verify_mode=2 -l notls:[::1]:x", "", ""},
		"memcached with users":           {nil, "memcached -Y /u", dataAsks, ""},
		"mosquitto":                      {nil, "mosquitto -p 1883", dataLocal, ""},
		"mosquitto, a listener":          {file("listener 1883\n"), "mosquitto -c /c", dataAsks, ""},
		"mosquitto, a port":              {file("port 1883\n"), "mosquitto -c /c", dataAsks, ""},
		"mosquitto, anybody":             {file("port 1883\nallow_anonymous true\n"), "mosquitto -c /c", dataNone, ""},
		"mosquitto, the last counts":     {file("listener 1883\nallow_anonymous true\nallow_anonymous false\n"), "mosquitto -c /c", dataAsks, ""},
		"mosquitto, not of the listener": {file("per_listener_settings true\nallow_anonymous true\nlistener 1883\n"), "mosquitto -c /c", dataAsks, ""},
		"mosquitto, of the listener":     {file("per_listener_settings true\nlistener 1884\nlistener 1883\nallow_anonymous true\n"), "mosquitto -c /c", dataNone, ""},
		"mosquitto, certificates":        {file("listener 1883\nallow_anonymous true\nrequire_certificate true\ncertfile /s\nkeyfile /k\n"), "mosquitto -c /c", dataAsks, ""},
		"mosquitto, no TLS for them":     {file("listener 1883\nallow_anonymous true\nrequire_certificate true\n"), "mosquitto -c /c", dataNone, ""},
		"mosquitto, on by a number":      {file("listener 1883\nallow_anonymous 1\n"), "mosquitto -c /c", dataNone, ""},
		"mosquitto, shared keys":         {file("psk_file /p\nlistener 1883\nallow_anonymous true\npsk_hint x\n"), "mosquitto -c /c", dataAsks, ""},
		"mosquitto, names of clients":    {file("listener 1883\nallow_anonymous true\nclientid_prefixes a-\n"), "mosquitto -c /c", "", ""},
		"mosquitto, included":            {map[string]string{"c": "include_dir /d\n", "d/a.conf": "listener 1883\nallow_anonymous true\n"}, "mosquitto -c /c", dataNone, ""},
		"mosquitto, a plugin":            {file("listener 1883\nplugin /x.so\n"), "mosquitto -c /c", "", ""},
		"nats":                           {nil, "nats-server -a 0.0.0.0 -m 8222", dataNone, ""},
		"nats, a user":                   {nil, "nats-server --user a --pass b", dataAsks, ""},
		"nats, a token":                  {file("port: 4333\nauthorization {\n  token: abc\n}\n"), "nats-server -c /c", dataAsks, ""},
		"nats, accounts":                 {file("accounts { A { users = [ {user: a, password: b} ] } }\n"), "nats-server -c /c", dataAsks, ""},
		"nats, a user for who has none":  {file("accounts { A { users = [ {user: a, password: b} ] } }\nno_auth_user: a\n"), "nats-server -c /c", dataNone, ""},
		"nats, of a cluster alone":       {file("cluster {\n authorization { user: a, password: b }\n}\n"), "nats-server -c /c", dataNone, ""},
		"nats, a block on the next line": {file("authorization:\n{\n users: [{user: a}]\n}\n"), "nats-server -c /c", dataAsks, ""},
		"nats, certificates":             {file("tls {\n cert_file: \"c\"\n verify: true\n}\n"), "nats-server -c /c", dataAsks, ""},
		"nats, a comment":                {file("# authorization { token: a }\n"), "nats-server -c /c", dataNone, ""},
		"nats, a comment in a line":      {file("authorization { // user: a, password: b\n timeout: 2\n}\n"), "nats-server -c /c", dataNone, ""},
		"nats, a comment of an account":  {file("accounts { A { } // users = []\n}\n"), "nats-server -c /c", dataNone, ""},
		"nats, of the system alone":      {file("accounts { $SYS { users = [ { user: \"admin\", pass: \"x\" } ] } }\n"), "nats-server -c /c", dataNone, ""},
		"nats, of the one it names":      {file("system_account: S\naccounts: {\n S: { users: [ {user: a, password: x} ] }\n}\n"), "nats-server -c /c", dataNone, ""},
		"nats, of the system and others": {file("accounts: { $SYS: { users: [ {user: a, password: x} ] }, A: { users: [ {user: b, password: c} ] } }\n"), "nats-server -c /c", dataAsks, ""},
		"nats, no users":                 {file("authorization { users = [] }\n"), "nats-server -c /c", dataNone, ""},
		"nats, names in quotes":          {file("\"authorization\" { \"user\": a, \"password\": b }\n"), "nats-server -c /c", dataAsks, ""},
		"nats, no blanks":                {file("authorization={user=a,password=b}\n"), "nats-server -c /c", dataAsks, ""},
		"nats, large letters":            {file("Authorization { User: a, Password: b }\n"), "nats-server -c /c", dataAsks, ""},
		"nats, a variable":               {file("U = { user: a, password: b }\nauthorization $U\n"), "nats-server -c /c", "", ""},
		"nats, a variable of a token":    {file("T = \"zzz\"\nauthorization { token: $T }\n"), "nats-server -c /c", dataAsks, ""},
		"nats, accounts without users":   {file("accounts { A { jetstream: enabled } }\n"), "nats-server -c /c", dataNone, ""},
		"nats, nobody by WebSocket":      {file("accounts { A { users = [ {user: a, password: b} ] } }\nwebsocket { port: 8443, no_tls: true, no_auth_user: a }\n"), "nats-server -c /c", dataNone, "one of its users"},
		"nats, included":                 {file("include ./auth.conf\n"), "nats-server -c /c", "", ""},
		"postgres, trust":                {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": "host all all all trust\n"}, "postgres -D /d", dataNone, "commands"},
		"postgres, the host":             {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": unix + "host all all 127.0.0.1/32 trust\nhost all all 0.0.0.0/0 scram-sha-256\n"}, "postgres -D /d", dataLocal, ""},
		"postgres, rejected before":      {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": "host all all 0.0.0.0/0 reject\nhost all all 192.0.2.0/24 trust\n"}, "postgres -D /d", dataAsks, ""},
		"postgres, IPv4 rejected before": {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": "host all all 0.0.0.0/0 reject\nhost all all all trust\n"}, "postgres -D /d", dataNone, ""},
		"postgres, ALTER SYSTEM":         {map[string]string{"e/c": "data_directory = '/d'\n", "d/postgresql.auto.conf": "hba_file = '/h'\n", "h": "host all all ::/0 trust\n"}, "postgres -c config_file=/e/c", dataNone, ""},
		"postgres, a mask":               {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": "host all all 192.0.2.0 255.255.255.0 trust\n"}, "postgres -D /d", dataSome, ""},
		"postgres, one account before":   {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": "host all bob 0.0.0.0/0 reject\nhost all all 0.0.0.0/0 trust\n"}, "postgres -D /d", dataNone, ""},
		"postgres of Debian":             {map[string]string{"e/c": "hba_file = '/e/h' # x\ninclude_dir = 'conf.d'\n", "e/h": unix + "host all all 0.0.0.0/0 md5\n"}, "postgres -D /d -c config_file=/e/c", dataAsks, ""},
		"postgres, another file":         {map[string]string{"d/postgresql.conf": "", "h": "host all all ::/0 trust\n"}, "postgres -D /d -c hba_file=/h", dataNone, ""},
		"postgres, an underscore":        {map[string]string{"d/postgresql.conf": "", "h": "host all all ::/0 trust\n"}, "postgres -D /d --hba_file=/h", dataNone, ""},
		"postgres, a large name":         {map[string]string{"d/postgresql.conf": "", "h": "host all all ::/0 trust\n"}, "postgres -D /d --HBA-FILE=/h", dataNone, ""},
		"postgres, the last counts":      {map[string]string{"d/postgresql.conf": "", "h": "host all all ::/0 trust\n", "i": ""}, "postgres -D /d --hba-file=/i -c HBA_FILE=/h", dataNone, ""},
		"postgres, too many lines":       {map[string]string{"d/postgresql.conf": "", "h": strings.Repeat("host a a ::/0 trust\n", maxServices+1)}, "postgres -D /d -c hba_file=/h", "", ""},
		"postgres, a line goes on": {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": `host all all \
 0.0.0.0/0 trust
`}, "postgres -D /d", dataNone, "commands"},
		"postgres, a comment goes on": {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": `host all all 0.0.0.0/0 reject # x \
host all all 0.0.0.0/0 trust
`}, "postgres -D /d", dataAsks, ""},
		"postgres, a list with blanks": {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": `host postgres, foo all 0.0.0.0/0 trust
`}, "postgres -D /d", dataNone, ""},
		"postgres, a name with a blank": {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": `host "my db",postgres all 0.0.0.0/0 trust
`}, "postgres -D /d", dataNone, ""},
		"postgres, all as a name": {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": `host "all" all 0.0.0.0/0 reject
host all all 0.0.0.0/0 trust
`}, "postgres -D /d", dataNone, ""},
		"postgres, asked before": {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": `host all bob 0.0.0.0/0 scram-sha-256
host all bob 0.0.0.0/0 trust
`}, "postgres -D /d", dataAsks, ""},
		"postgres, tickets": {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": `hostgssenc all all 0.0.0.0/0 trust
`}, "postgres -D /d", dataAsks, ""},
		"postgres, no TLS for it": {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": `hostssl all all 0.0.0.0/0 trust
`}, "postgres -D /d", dataAsks, ""},
		"postgres, TLS": {map[string]string{"d/postgresql.conf": "ssl = on\n", "d/pg_hba.conf": `hostssl all all 0.0.0.0/0 trust
`}, "postgres -D /d", dataNone, ""},
		"postgres, certificates": {map[string]string{"d/postgresql.conf": "ssl = on\n", "d/pg_hba.conf": `hostssl all all 0.0.0.0/0 trust clientcert=verify-ca
`}, "postgres -D /d", dataAsks, ""},
		"postgres, who they say they are": {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": `host all all 0.0.0.0/0 ident
`}, "postgres -D /d", dataNone, ""},
		"postgres, the host's own names": {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": `host all all 127.0.0.1/32 ident
host all all ::1/128 ident
host all all samehost ident
`}, "postgres -D /d", dataAsks, ""},
		"postgres, replication": {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": `host replication all 0.0.0.0/0 trust
`}, "postgres -D /d", dataNone, "copies"},
		"postgres, not of replication": {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": `host all all 0.0.0.0/0 reject
host replication all 0.0.0.0/0 trust
`}, "postgres -D /d", dataNone, "copies"},
		"postgres, large letters":        {map[string]string{"d/postgresql.conf": "HBA_FILE='/h'\n", "d/pg_hba.conf": "", "h": "host all all 0.0.0.0/0 trust\n"}, "postgres -D /d", dataNone, ""},
		"postgres, a name like a word":   {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": "host ALL ALL all trust\n"}, "postgres -D /d", "", ""},
		"postgres, a name in quotes":     {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": "host all \"all\" all trust\n"}, "postgres -D /d", "", ""},
		"postgres, a host like a word":   {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": "host all all ALL trust\n"}, "postgres -D /d", "", ""},
		"postgres, one of several":       {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": "host all ALL,bob all trust\n"}, "postgres -D /d", dataNone, ""},
		"postgres, a name and all":       {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": "host all ALL all trust\nhost all all all trust\n"}, "postgres -D /d", dataNone, ""},
		"postgres, without TLS all":      {map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": "hostnossl all all all reject\nhost all all all trust\n"}, "postgres -D /d", dataAsks, ""},
		"postgres, with TLS some":        {map[string]string{"d/postgresql.conf": "ssl=on\n", "d/pg_hba.conf": "hostnossl all all all reject\nhost all all all trust\n"}, "postgres -D /d", dataNone, ""},
		"postgres, no file":              {nil, "postgres -D /d", "", ""},
		"mariadb":                        {nil, "mariadbd", "", ""},
		"mariadb without grants":         {nil, "mariadbd --skip-grant-tables", dataNone, ""},
		"mariadb, by its file":           {map[string]string{"etc/mysql/my.cnf": "!includedir /m.d/\n", "m.d/a.cnf": "[mysqld]\nskip_grant_tables\n"}, "mariadbd", dataNone, ""},
		"mariadb, of a client":           {map[string]string{"etc/mysql/my.cnf": "[client]\nskip-grant-tables\n"}, "mariadbd", "", ""},
		"mariadb, off again":             {map[string]string{"etc/my.cnf": "[mysqld]\nskip-grant-tables\n"}, "mariadbd --skip-grant-tables=0", "", ""},
		"rsync":                          {file("[data]\npath=/x\nread only = no\n"), "rsync --daemon --config=/c", dataNone, "writes"},
		"rsync, to read":                 {file("[data]\npath=/x\n"), "rsync --daemon --config=/c", dataNone, "reads the files of /x"},
		"rsync, users":                   {file("auth users = a\n[data]\npath=/x\n"), "rsync --daemon --config=/c", dataAsks, ""},
		"rsync, not of the module":       {file("auth users = a\n[data]\nauth users =\nhosts allow = 10.0.0.0/8\npath=/x\n"), "rsync --daemon --config=/c", dataSome, ""},
		"rsync, by the command line":     {file("auth users = a\n[data]\npath=/x\n"), "rsync --daemon --config=/c --dparam=authusers=", dataNone, "reads the files of /x"},
		"rsync, users by it":             {file("[data]\npath=/x\n"), "rsync --daemon --config=/c -Mauthusers=a", dataAsks, ""},
		"rsync, hosts by it":             {file("[data]\npath=/x\n"), "rsync --daemon --config=/c -M hostsallow=127.0.0.1", dataSome, ""},
		"rsync, of the module, over it":  {file("[data]\npath=/x\nauth users = a\n"), "rsync --daemon --config=/c --dparam=authusers=", dataAsks, ""},
		"rsync, for all, after it":       {file("[data]\npath=/x\n[global]\nauth users = a\n"), "rsync --daemon --config=/c", dataAsks, ""},
		"rsync, included":                {map[string]string{"c": "auth users = a\n&include /d\n[b]\npath=/y\n", "d/m.conf": "[m]\npath=/x\nauth users =\n", "d/n.inc": "[n]\nauth users =\n"}, "rsync --daemon --config=/c", dataNone, "the files of /x"},
		"rsync, included for itself":     {map[string]string{"c": "&include /d\n[b]\npath=/y\n", "d": "auth users = a\n"}, "rsync --daemon --config=/c", dataNone, "the files of /y"},
		"rsync, merged":                  {map[string]string{"c": "[a]\npath=/x\n&MERGE=/d\n", "d": "auth users = a\n"}, "rsync --daemon --config=/c", dataAsks, ""},
		"rsync, merged into all":         {map[string]string{"c": "&merge /d\n[a]\npath=/x\n", "d/b.conf": "[b]\npath=/y\n", "d/a.inc": "auth users = a\n"}, "rsync --daemon --config=/c", dataAsks, ""},
		"rsync, included without a path": {file("[a]\nhosts allow = 10.0.0.1\npath=/x\n&include d\n"), "rsync --daemon --config=/c", "", ""},
		"rsync, no such include":         {file("&include /d\n"), "rsync --daemon --config=/c", "", ""},
		"rsync, includes itself":         {file("&merge /c\n&merge /c\n"), "rsync --daemon --config=/c", "", ""},
		"rsync, a dash is no blank":      {file("[a]\npath=/x\nauth-users = a\nauth_users = a\n"), "rsync --daemon --config=/c", dataNone, ""},
		"rsync, blanks and capitals":     {file("[a]\npath=/x\nAuthUsers = a\n"), "rsync --daemon --config=/c", dataAsks, ""},
		"rsync, no such word":            {file("[a]\npath=/x\nupload only = yes\n"), "rsync --daemon --config=/c", dataNone, "reads the files"},
		"rsync, to write alone":          {file("[a]\npath=/x\nwrite only = yes\nread only = no\n"), "rsync --daemon --config=/c", dataNone, "writes the files"},
		"rsync, for nothing":             {file("[a]\npath=/x\nwrite only = yes\n"), "rsync --daemon --config=/c", dataAsks, ""},
		"rsync, on is no boolean":        {file("[a]\npath=/x\nwrite only = on\n"), "rsync --daemon --config=/c", dataNone, "reads the files"},
		"rsync, off is no boolean":       {file("read only = no\n[a]\npath=/x\nread only = off\n"), "rsync --daemon --config=/c", dataNone, "reads and writes"},
		"rsync, booleans after it":       {file("[a]\npath=/x\n[global]\nwrite only = yes\nread only = no\n"), "rsync --daemon --config=/c", dataNone, "reads the files"},
		"rsync, booleans before it":      {file("write only = yes\n[a]\npath=/x\n"), "rsync --daemon --config=/c", dataAsks, ""},
		"rsync, a module goes on":        {file("[a]\npath=/x\n[b]\nauth users = b\n[A] x\nauth users = a\n"), "rsync --daemon --config=/c", dataAsks, ""},
		"rsync, emptied before":          {file("auth users =\n[a]\npath=/x\n[global]\nauth users = a\n"), "rsync --daemon --config=/c", dataNone, ""},
		"rsync, a comment has no end":    {file("[a]\npath=/x\n# x \\\nauth users = a\n"), "rsync --daemon --config=/c", dataAsks, ""},
		"rsync, a line goes on":          {file("[a]\npath=/x\nauth \\\nusers = a\n"), "rsync --daemon --config=/c", dataAsks, ""},
		"rsync, all but a host":          {file("[a]\npath=/x\nhosts deny = 10.0.0.1\n"), "rsync --daemon --config=/c", dataNone, ""},
		"rsync, who is in no list":       {file("[a]\npath=/x\nhosts allow = 10.0.0.1\nhosts deny = 10.0.0.2\n"), "rsync --daemon --config=/c", dataNone, ""},
		"rsync, every host":              {file("[a]\npath=/x\nhosts allow = 10.0.0.1, *\n"), "rsync --daemon --config=/c", dataNone, ""},
		"rsync, others denied":           {file("[a]\npath=/x\nhosts allow = 10.0.0.1\nhosts deny = *\n"), "rsync --daemon --config=/c", dataSome, ""},
		"rsync, a variable":              {file("[a]\npath=/x\nauth users = %A%\n[b]\npath=/x\nhosts allow = 10.0.0.1\n"), "rsync --daemon --config=/c", "", ""},
		"samba, all but a host":          {file("[global]\n[pub]\npath=/x\nguest ok=yes\nhosts deny=10.0.0.2\n"), "smbd -D -s /c", dataNone, ""},
		"samba, who is in no list":       {file("[global]\n[pub]\npath=/x\nguest ok=yes\nhosts deny=10.\nhosts allow=10.0.0.1\n"), "smbd -D -s /c", dataNone, ""},
		"samba, every host":              {file("[global]\n[pub]\npath=/x\nguest ok=yes\nhosts allow=ALL\n"), "smbd -D -s /c", dataNone, ""},
		"samba, others denied":           {file("[global]\n[pub]\npath=/x\nguest ok=yes\nhosts allow=10.\nhosts deny=all\n"), "smbd -D -s /c", dataSome, ""},
		"samba, some, and an include":    {file("[global]\ninclude=/y\n[pub]\npath=/x\nguest ok=yes\nhosts allow=10.\n"), "smbd -D -s /c", "", ""},
		"samba, a blank is a blank":      {file("[global]\n[pub]\npath=/x\nguest ok=yes\nvalid_users=a\n"), "smbd -D -s /c", dataNone, ""},
		"samba, guests":                  {file("[global]\n[pub]\npath=/x\nguest ok=yes\n"), "smbd -D -s /c", dataNone, "reads the files of /x"},
		"samba, guests write":            {file("[global]\n[pub]\npath=/x\npublic=yes\nwritable=yes\n"), "smbd -D -s /c", dataNone, "writes"},
		"samba, no guests":               {file("[global]\nmap to guest = bad user\n[pub]\npath=/x\n"), "smbd -D -s /c", dataAsks, ""},
		"samba, its users":               {file("[global]\n[pub]\nguest ok=yes\nvalid users=a\n"), "smbd -D -s /c", dataAsks, ""},
		"samba, the share of an account": {map[string]string{"c": "[global]\nusershare allow guests = yes\n", "var/lib/samba/usershares/x": "path=/home/a\nguest_ok=y\n"}, "smbd -D -s /c", dataNone, ""},
		"samba, some, and an account":    {map[string]string{"c": "[global]\nusershare allow guests = yes\n[pub]\nguest ok=yes\nhosts allow=10.\n", "var/lib/samba/usershares/x": "path=/home/a\nguest_ok=y\n"}, "smbd -D -s /c", dataNone, ""},
		"samba, the last name counts":    {file("[sh]\npath=/s\nguest ok=no\npublic = yes\n"), "smbd -D -s /c", dataNone, ""},
		"samba, the last name is no":     {file("[sh]\npath=/s\npublic=yes\nguest ok=no\n"), "smbd -D -s /c", dataAsks, ""},
		"samba, written at last":         {file("[sh]\npath=/s\npublic=yes\nread only = yes\nwriteable = yes\n"), "smbd -D -s /c", dataNone, "writes"},
		"samba, read at last":            {file("[sh]\npath=/s\npublic=yes\nwriteable = yes\nread only = yes\n"), "smbd -D -s /c", dataNone, "reads the files"},
		"samba, one share in two":        {file("[sh]\npath=/s\npublic=yes\n[SH]\nguest ok = no\n"), "smbd -D -s /c", dataAsks, ""},
		"samba, one share in two, open":  {file("[SH]\npath=/s\n[sh]\nguest ok = yes\n"), "smbd -D -s /c", dataNone, "files of /s"},
		"samba, no users of its own":     {file("[global]\nvalid users = bob\n[sh]\npath=/s\npublic=yes\nvalid users =\n"), "smbd -D -s /c", dataNone, ""},
		"samba, global after it":         {file("[sh]\npath=/s\n[global]\nguest ok = yes\n"), "smbd -D -s /c", dataAsks, ""},
		"samba, no guests by name":       {file("[sh]\npath=/s\npublic=yes\ninvalid users = root, nobody\n"), "smbd -D -s /c", dataAsks, ""},
		"samba, guests have no key":      {file("[global]\nsmb encrypt = required\n[sh]\npath=/s\npublic=yes\n"), "smbd -D -s /c", dataAsks, ""},
		"samba, a share that encrypts":   {file("[sh]\npath=/s\npublic=yes\nserver smb encrypt = required\n"), "smbd -D -s /c", dataAsks, ""},
		"samba, the registry":            {file("[global]\ninclude = registry\n"), "smbd -D -s /c", "", ""},
		"haproxy":                        {file("global\n stats socket /run/h level admin\n"), "haproxy -f /c", dataAsks, ""},
		"haproxy, commands by TCP":       {file("global\n stats socket ipv4@0.0.0.0:9999 level admin # x\n"), "haproxy -f /c", dataNone, "commands"},
		"haproxy, a comment":             {file("global\n # stats socket ipv4@0.0.0.0:9999 level admin\n"), "haproxy -f /c", dataAsks, ""},
		"haproxy, its usual level":       {file("global\n stats socket :9999\n"), "haproxy -f /c", dataNone, "reads its state"},
		"haproxy, two sockets":           {file("global\n stats socket :9999 level admin\n stats socket :9998 level user\n"), "haproxy -f /c", dataNone, "commands"},
		"haproxy, by its environment":    {file("global\n stats socket \"$ADDR\"\n"), "haproxy -f /c", "", ""},
		"haproxy, a directory":           {map[string]string{"d/a.cfg": "global\n", "d/b.cfg": "global\n stats socket *:9999 level admin\n"}, "haproxy -Ws -f /d", dataNone, "commands"},
		"haproxy, its page":              {file("listen s\n bind :8404\n stats enable\n stats admin if TRUE\n"), "haproxy -f /c", "", ""},
		"haproxy, its page asks":         {file("listen s\n bind :8404\n stats auth a:b\n stats admin if TRUE\n"), "haproxy -f /c", dataAsks, ""},
		"varnish":                        {nil, "varnishd -T 0.0.0.0:6082 -a :80", dataAsks, ""},
		"varnish, no secret":             {nil, "varnishd -T 0.0.0.0:6082 -S none", dataNone, "commands"},
		"varnish, no secret, no port":    {nil, "varnishd -Snone", "", ""},
		"fpm, a socket":                  {map[string]string{"e/f.conf": "[global]\ninclude=/e/p/*.conf\n", "e/p/w.conf": "[www]\nlisten = /run/f\n"}, "php-fpm8.2 -F -y /e/f.conf", dataAsks, ""},
		"fpm, a port":                    {map[string]string{"e/f.conf": "[global]\ninclude=/e/p/*.conf\n", "e/p/w.conf": "[www]\nlisten = 9000 ; x\n"}, "php-fpm8.2 -F -y /e/f.conf", dataNone, "commands"},
		"fpm, the host alone":            {file("[www]\nlisten = [::]:9000\nlisten.allowed_clients = 127.0.0.1\n"), "php-fpm -y /c", dataLocal, ""},
		"fpm, an address":                {file("[www]\nlisten = 9000\nlisten.allowed_clients = 127.0.0.1,192.0.2.1\n"), "php-fpm -y /c", dataSome, ""},
		"fpm, a variable":                {file("[www]\nlisten = ${PORT}\n"), "php-fpm -y /c", "", ""},
		"fpm of its image":               {map[string]string{"usr/local/etc/php-fpm.conf": "[global]\ninclude=etc/php-fpm.d/*.conf\n", "usr/local/etc/php-fpm.d/www.conf": "[www]\nlisten = 127.0.0.1:9001\n", "usr/local/etc/php-fpm.d/zz-docker.conf": "[www]\nlisten = 9000\nlisten.allowed_clients = 10.0.0.1\n"}, "php-fpm -y /usr/local/etc/php-fpm.conf", dataSome, ""},
		"fpm, a path from somewhere":     {map[string]string{"etc/php-fpm.conf": "[global]\ninclude=d/*.conf\n"}, "php-fpm -y /etc/php-fpm.conf", "", ""},
		"fpm, no file":                   {nil, "php-fpm", "", ""},
		"pgbouncer":                      {file("[pgbouncer]\nlisten_addr=*\n"), "pgbouncer -d /c", dataAsks, ""},
		"pgbouncer, trust":               {file("[pgbouncer]\nauth_type = trust\n"), "pgbouncer -d /c", dataNone, "writes"},
		"pgbouncer, a comment":           {file("[pgbouncer]\n;auth_type = trust\n"), "pgbouncer -d /c", dataAsks, ""},
		"pgbouncer, hosts":               {file("auth_type = hba\n"), "pgbouncer /c", "", ""},
		"supervisord":                    {file("[supervisord]\n"), "supervisord -n -c /c", dataAsks, ""},
		"supervisord, its page":          {file("[inet_http_server]\nport = *:9001\n"), "supervisord -n -c /c", dataNone, "writes"},
		"supervisord, a name":            {file("[inet_http_server]\nport = 9001\nusername = a\npassword = b\n"), "supervisord -n -c /c", dataAsks, ""},
		"supervisord, included":          {map[string]string{"e/s.conf": "[include]\nfiles = d/*.conf\n", "e/d/a.conf": "[inet_http_server]\nport = 9001\n"}, "supervisord -c /e/s.conf", dataNone, ""},
		"beanstalkd":                     {nil, "beanstalkd -l 0.0.0.0", dataNone, "writes"},
		"couchdb":                        {nil, "beam.smp -s couch", "", ""},
		"elasticsearch":                  {nil, "java -Xms1g -cp /l/* -m org.elasticsearch.server/org.elasticsearch.bootstrap.Elasticsearch", "", ""},
		"kafka":                          {nil, "java -Xmx1G -cp /l/* kafka.Kafka /etc/kafka.properties", "", ""},
		"influx":                         {file("[http]\n  auth-enabled = false\n"), "influxd -config /c", dataNone, ""},
		"influx, on":                     {file("[http]\n  auth-enabled = true # x\n"), "influxd -config /c", dataAsks, ""},
		"influx, by its environment":     {map[string]string{"c": "[http]\n  auth-enabled = false\n", "environ": "INFLUXDB_HTTP_AUTH_ENABLED=true\x00"}, "influxd -config /c", dataAsks, ""},
		"influx, no file":                {nil, "influxd", "", ""},
		"clickhouse":                     {nil, "clickhouse-server", "", ""},
		"minio":                          {nil, "minio server /d", "", ""},
		"mongo":                          {nil, "mongod", dataNone, ""},
		"mongo, on":                      {file("security:\n  authorization: enabled\n"), "mongod -f /c", dataAsks, ""},
		"rabbit":                         {nil, "beam.smp -s rabbit boot", dataAsks, ""},
		"rabbit, guests by its image":    {map[string]string{"etc/rabbitmq/conf.d/10-defaults.conf": "loopback_users.guest = false\n"}, "beam.smp -s rabbit boot", "", ""},
		"rabbit, guests by Erlang":       {map[string]string{"etc/rabbitmq/advanced.config": "[{rabbit, [{loopback_users, []}]}].\n"}, "beam.smp -s rabbit boot", "", ""},
		"rabbit, guests by an option":    {nil, "beam.smp -s rabbit boot -rabbit loopback_users []", "", ""},
		"rabbit, files elsewhere":        {map[string]string{"etc/rabbitmq/rabbitmq-env.conf": "# CONFIG_FILE=/a\nCONFIG_FILE=/b\n"}, "beam.smp -s rabbit boot", "", ""},
		"rabbit, an environment":         {map[string]string{"etc/rabbitmq/rabbitmq-env.conf": "# CONFIG_FILE=/a\nNODENAME=a\n"}, "beam.smp -s rabbit boot", dataAsks, ""},
		"rabbit, guests from everywhere": {map[string]string{"etc/rabbitmq/rabbitmq.conf": "loopback_users = none\n"}, "beam.smp -s rabbit boot", "", ""},
		"squid":                          {file("http_access allow all\n"), "squid -f /c", dataNone, "commands"},
		"squid, a network":               {file("acl n src 192.0.2.0/24\nhttp_access allow n\nhttp_access deny all\n"), "squid -f /c", dataSome, ""},
		"squid, the host":                {file("http_access allow localhost\nhttp_access deny all\nhttp_access allow all\n"), "squid -f /c", dataAsks, ""},
		"squid, a password":              {file("acl u proxy_auth REQUIRED\nhttp_access allow u\n"), "squid -f /c", dataAsks, ""},
		"squid, not a network":           {file("acl n src 10.0.0.0/8\nhttp_access allow !n\n"), "squid -f /c", dataSome, ""},
		"squid, the last denies":         {file("acl b dstdomain .example\nhttp_access deny b\n"), "squid -f /c", dataNone, ""},
		"squid, the last denies others":  {file("acl n src 192.0.2.0/24\nhttp_access deny !n\n"), "squid -f /c", dataSome, ""},
		"squid, no rule":                 {file("acl n src 192.0.2.0/24\n"), "squid -f /c", dataAsks, ""},
		"squid, denied without a name":   {file("acl u proxy_auth REQUIRED\nhttp_access deny !u\nhttp_access allow all\n"), "squid -f /c", dataAsks, ""},
		"squid, others denied before":    {file("acl n src 192.0.2.0/24\nhttp_access deny !n\nhttp_access allow all\n"), "squid -f /c", dataSome, ""},
		"squid, included":                {map[string]string{"etc/squid/squid.conf": "include /etc/squid/conf.d/*.conf\nhttp_access deny all\n", "etc/squid/conf.d/a.conf": "http_access allow all # x\n"}, "squid -N", dataNone, ""},
		"squid, a list elsewhere":        {file("acl n src \"/n\"\nhttp_access allow n\n"), "squid -f /c", "", ""},
		"tinyproxy":                      {file("Port 8888\n"), "tinyproxy -d -c /c", dataNone, "commands"},
		"tinyproxy, the host":            {file("Allow 127.0.0.1\n"), "tinyproxy -d -c /c", dataAsks, ""},
		"tinyproxy, a password":          {file("BasicAuth a b\n"), "tinyproxy -d -c /c", dataAsks, ""},
		"unbound":                        {file("remote-control:\n control-enable: yes\n control-interface: 0.0.0.0\n control-use-cert: no\n"), "unbound -d -c /c", dataNone, "names"},
		"unbound, certificates":          {file("remote-control:\n control-enable: yes\n control-interface: 0.0.0.0\n"), "unbound -d -c /c", dataAsks, ""},
		"unbound, a socket":              {file("remote-control:\n control-enable: yes\n control-interface: /run/u\n control-use-cert: no\n"), "unbound -d -c /c", dataAsks, ""},
		"influxdb, a name in quotes":     {file("[http]\n\"auth-enabled\" = true\n"), "influxd -config /c", dataAsks, ""},
		"influxdb, all in quotes":        {file("['http']\n'auth-enabled' = true # x\n"), "influxd -config /c", dataAsks, ""},
		"influxdb, large letters":        {file("[HTTP]\nAuth-Enabled = true\n"), "influxd -config /c", dataAsks, ""},
		"influxdb, by its whole name":    {file("http.auth-enabled = true\n"), "influxd -config /c", dataAsks, ""},
		"influxdb, of another table":     {file("[data]\nhttp.auth-enabled = true\n"), "influxd -config /c", dataNone, ""},
		"influxdb, in one line":          {file("http = { auth-enabled = true }\n"), "influxd -config /c", "", ""},
		"influxdb, several lines":        {file("[http]\nx = '''\n[data]\n'''\nauth-enabled = true\n"), "influxd -config /c", "", ""},
		"vsftpd of Debian":               {file("anonymous_enable=NO\nlocal_enable=YES\nssl_enable=NO\n"), "vsftpd /c", dataAsks, ""},
		"vsftpd by itself":               {file(""), "vsftpd /c", dataNone, "reads the files"},
		"vsftpd, an option":              {file("anonymous_enable=NO\n"), "vsftpd /c -oanonymous_enable=YES -owrite_enable=YES -oanon_upload_enable=YES", dataNone, "writes"},
	} {
		m := settingsAt(t, c.files, strings.Fields(c.argv)...)
		if got := m["login"]; got.Value != c.want || (c.want == "") != (got.Reason != "") {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
		if !strings.Contains(m["gives"].Value, c.gives) {
			t.Errorf("%s: gives %q", name, m["gives"].Value)
		}
	}
}

// TestPortsOfServersOfData: what is told of a listener is not told of the others of the same process.
func TestPortsOfServersOfData(t *testing.T) {
	for argv, want := range map[string][]int{
		"haproxy -f /h": {9999, 9998}, "php-fpm -y /f": {9001}, "varnishd -S none -T :6082": {6082},
		"mosquitto -c /m": {1883}, "nats-server -m 8222": {4222}, "nats-server -c /n": {4333}, "nats-server -c /w": {8443}, "memcached": nil,
		"memcached -Z -o ssl_verify_mode=2 -p 7002 -U 7003 -l 0.0.0.0,notls:127.0.0.1:7001": {7003, 7001}, "memcached -Z -o ssl_verify_mode=2 -p 7002 -l notls:::1": {7002},
	} {
		s := scanWithProcess(t, map[string]string{
			"h": "global\nstats socket :9999 level admin\nstats socket :9998\n", "f": "[a]\nlisten=9000\nlisten.allowed_clients=10.0.0.1\n[b]\nlisten=9001\n",
			"m": "per_listener_settings true\nlistener 1884\nlistener 1883\nallow_anonymous true\n", "n": "listen: \"0.0.0.0:4333\"\nhttp: 8222\n",
			"w": "authorization { user: a, password: b }\nwebsocket { listen: \"0.0.0.0:8443\", no_auth_user: a }\n",
		})
		p := &process{argv: strings.Fields(argv)}
		p.PID, p.Exe = 77, "/usr/sbin/"+p.argv[0]
		v, _ := managed(p)
		if _, ports := s.dataSettings(p, v.Name); !slices.Equal(ports, want) {
			t.Errorf("%s: %v, want %v", argv, ports, want)
		}
	}
}

// TestWhichNetworksPostgresTrusts: those of all lines that trust, where each is a network.
func TestWhichNetworksPostgresTrusts(t *testing.T) {
	for text, want := range map[string]string{
		"host all all 192.0.2.0 255.255.255.0 trust\nhost a b 10.1.2.3/8 trust\nhost all all 127.0.0.1/32 trust\n": "10.0.0.0/8, 192.0.2.0/24",
		"host all all 10.0.0.0/8 reject\nhost all all 10.1.0.0/16 trust\nhost all all 192.0.2.0/24 trust\n":        "192.0.2.0/24",
		"host all all 192.0.2.0/24 trust\nhost all all samenet trust\n":                                            "",
		"host all all 192.0.2.0/24 trust\nhost all all .example.com trust\n":                                       "",
		"host all all 192.0.2.0/24 trust\nhost all all all trust\n":                                                "",
	} {
		m := settingsAt(t, map[string]string{"d/postgresql.conf": "", "d/pg_hba.conf": text}, "postgres", "-D", "/d")
		if got := m["sources"].Value; got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestHowFTPLogsIn: accounts without TLS, with it alone, or none.
func TestHowFTPLogsIn(t *testing.T) {
	for name, c := range map[string]struct{ text, argv, want string }{
		"vsftpd of Debian": {"anonymous_enable=NO\nlocal_enable=YES\nssl_enable=NO\n", "vsftpd /c", ftpClear},
		"vsftpd with TLS":  {"local_enable=YES\nssl_enable=YES\n", "vsftpd /c", ftpTLS},
		"vsftpd, optional": {"local_enable=YES\nssl_enable=YES\nforce_local_logins_ssl=NO\n", "vsftpd /c", ftpClear},
		"vsftpd, nobody":   {"", "vsftpd /c", ftpAnon},
		"proftpd":          {"ServerName x\n", "proftpd -c /c", ftpClear},
		"proftpd with TLS": {"TLSEngine on\nTLSRequired on\n", "proftpd -c /c", ftpTLS},
		"pure-ftpd":        {"", "pure-ftpd -E -B", ftpClear},
		"pure-ftpd, TLS":   {"", "pure-ftpd -E -Y 2", ftpTLS},
	} {
		if got := settingsAt(t, map[string]string{"c": c.text}, strings.Fields(c.argv)...)["how"]; got.Value != c.want {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
	}
	p := &process{argv: []string{"pure-ftpd (SERVER)"}}
	p.PID = 77
	if m, _ := scanWithProcess(t, nil).dataSettings(p, "Pure-FTPd"); m["login"].Reason != errTitle.Error() {
		t.Errorf("a title: %+v", m)
	}
}

// TestServersOfDataWithoutArguments: a process can take its arguments away; what it was told is not known then, and nobody is let in by that.
func TestServersOfDataWithoutArguments(t *testing.T) {
	for name := range dataServers {
		p := new(process)
		p.PID = 77
		s := scanWithProcess(t, nil)
		m, _ := s.dataSettings(p, name)
		if f := m["login"]; f.Value != "" || f.Reason == "" {
			t.Errorf("%s: %+v", name, m)
		}
	}
}
