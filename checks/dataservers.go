//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// What a server of data asks of who connects, as its setting login; what is not told is unknown.
const (
	dataNone  = "none"      // everybody who connects is let in
	dataSome  = "addresses" // everybody from some addresses is
	dataLocal = "loopback"  // everybody on loopback is, others are not
	dataAsks  = "asks"
)

// access is what a server of data lets whom do. With an error that is not known.
type access struct {
	login string
	gives string // what everybody may do, where login is none
	how   string // the setting that makes it so
	ports []int  // on which login holds; none: on all
	err   error

	sources string // the networks of those who are let in, where login is addresses and all are known
}

// dataServers read who is let in, by the names of servers.
var dataServers = map[string]func(d *dataFiles) access{
	"Redis": redisAccess, "Valkey": redisAccess, "KeyDB": redisAccess, "memcached": memcachedAccess, "Mosquitto": mosquittoAccess, "NATS": natsAccess,
	"MariaDB": mysqlAccess, "PostgreSQL": postgresAccess, "rsync": rsyncAccess, "Samba": sambaAccess, "InfluxDB": influxAccess, "MongoDB": mongoAccess,
	"kubectl": kubectlAccess, "Nomad": nomadAccess, "Consul": consulAccess, "Vault": vaultAccess, "OpenBao": vaultAccess, "Salt": saltAccess, "CUPS": cupsAccess,
	"Squid": squidAccess, "Tinyproxy": tinyproxyAccess, "control of Unbound": unboundAccess,
	"ClickHouse": notRead, "MinIO": notRead, "CockroachDB": notRead, "ArangoDB": notRead, "Dragonfly": notRead, "mongos": notRead, "Meilisearch": notRead,
	"NFS-Ganesha": notRead, "aria2": aria2Access, "Transmission": transmissionAccess, "Syncthing": syncthingAccess, "Docker registry": registryAccess,
	"HAProxy": haproxyAccess, "Varnish": varnishAccess, "PHP-FPM": fpmAccess, "PgBouncer": pgbouncerAccess, "supervisord": supervisorAccess,
	"beanstalkd": beanstalkAccess, "Elasticsearch": notRead, "OpenSearch": notRead, "ZooKeeper": notRead, "Kafka": notRead, "Cassandra": notRead,
	"Neo4j": notRead, "Hadoop": notRead,
	"RabbitMQ": rabbitAccess, "vsftpd": vsftpdAccess, "ProFTPD": proftpdAccess, "Pure-FTPd": pureftpdAccess,
}

// notRead is of servers whose configuration nobody follows here.
func notRead(*dataFiles) access { return access{err: errors.New("its configuration is not read")} }

// beanstalkAccess is of a queue of jobs that knows no users.
func beanstalkAccess(_ *dataFiles) access {
	return access{login: dataNone, gives: "reads and writes all of its jobs", how: "it knows no users"}
}

// mainClasses are servers of Java by the class that they begin with.
var mainClasses = map[string]string{
	"org.elasticsearch.bootstrap.Elasticsearch": "Elasticsearch", "org.opensearch.bootstrap.OpenSearch": "OpenSearch",
	"org.apache.zookeeper.server.quorum.QuorumPeerMain": "ZooKeeper", "org.apache.zookeeper.server.ZooKeeperServerMain": "ZooKeeper",
	"kafka.Kafka": "Kafka", "org.apache.cassandra.service.CassandraDaemon": "Cassandra",
	"org.neo4j.server.CommunityEntryPoint": "Neo4j", "com.neo4j.server.enterprise.EnterpriseEntryPoint": "Neo4j",
	"org.apache.hadoop.hdfs.server.namenode.NameNode": "Hadoop", "org.apache.hadoop.hdfs.server.datanode.DataNode": "Hadoop",
	"org.apache.hadoop.yarn.server.resourcemanager.ResourceManager": "Hadoop", "org.apache.hadoop.yarn.server.nodemanager.NodeManager": "Hadoop",
}

// mainClass is the class that Java begins with, also by its module ("module/class").
func mainClass(argv []string) string {
	run := afterOptions(argv[min(1, len(argv)):], valued["java"], "-m", "-jar")
	if len(run) == 0 {
		return ""
	}
	return path.Base(run[0])
}

// titled are the servers that set a title: they are told of by who starts them.
var titled = []string{"Redis", "Valkey", "KeyDB", "ProFTPD", "Pure-FTPd"}

// dataFiles are the arguments, the environment and the files of one server of data.
type dataFiles struct {
	s    *Scan
	p    *process
	argv []string
	env  map[string]string
	n    int
}

// Bounds of what is read of one server of data.
const (
	maxDataFiles = 64
	maxDataBytes = 1 << 20
)

var errTitle = errors.New("it wrote its title over its arguments, and no unit or container tells them")

var errManyFiles = errors.New("its configuration has more files, or longer ones, than are read")

// text is a file as the server read it when it was started; nothing where there is none.
func (d *dataFiles) text(file string) (string, error) {
	if !path.IsAbs(file) {
		return "", fmt.Errorf("%s is no whole path", file)
	}
	if d.n++; d.n > maxDataFiles {
		return "", errManyFiles
	}
	b, err := d.s.readAtStart(d.p, file)
	if len(b) > maxDataBytes {
		return "", errManyFiles
	}
	return string(b), err
}

// optional is a file that need not be there.
func (d *dataFiles) optional(file string) (string, error) {
	text, err := d.text(file)
	if gone(err) {
		return "", nil
	}
	return text, err
}

// dataSettings are login, gives and how of a server of data, and the ports that they are about.
func (s *Scan) dataSettings(p *process, name string) (map[string]snapshot.Fact, []int) {
	env, err := s.environ(p)
	switch {
	case err != nil && !gone(err):
		return unreadSettings(err, "login"), nil
	case p.cut:
		return unreadSettings(errCutArgs, "login"), nil
	}
	argv := p.argv
	if len(argv) == 0 { // it has taken them away
		if argv = []string{""}; !slices.Contains(titled, name) {
			return unreadSettings(errTitle, "login"), nil
		}
	}
	a := dataServers[name](&dataFiles{s: s, p: p, argv: argv, env: env})
	if a.err != nil {
		return unreadSettings(a.err, "login"), a.ports
	}
	m := map[string]string{"login": a.login}
	for k, v := range map[string]string{"gives": a.gives, "how": a.how} {
		if v != "" {
			m[k] = v
		}
	}
	if a.login == dataSome && a.sources != "" {
		m["sources"] = a.sources
	}
	return given(m), a.ports
}

// keyLines are the lines of a file that are a key and what is said of it, without comments.
func keyLines(text string) (list [][2]string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		list = append(list, [2]string{key, strings.TrimSpace(value)})
	}
	return list
}

// startedWith is the command line that a server was started with which has set a title: by its unit or its container.
func (d *dataFiles) startedWith(programs ...string) []string {
	for _, argv := range d.s.startsOf(d.p, d.env) {
		at := slices.IndexFunc(argv, func(a string) bool { return slices.Contains(programs, path.Base(strings.TrimLeft(a, "-@:+!"))) })
		if at >= 0 && !slices.ContainsFunc(argv, func(a string) bool { return strings.Contains(a, "$") }) {
			return argv[at:]
		}
	}
	return nil
}

// redisConfig is what Redis is told that decides who is let in.
type redisConfig struct {
	protected, told, bind, password bool
	users                           map[string]redisUser
	first                           string // the first address that it was told
	acl                             string // the file of its users
}

// redisTitle is what a server of the kind of Redis calls itself, by the first of its addresses at present.
var redisTitle = lazily(`^\S+ (\S+):[0-9]+(?: \[\w+\])?\s*$`)

// changed says of a title that the server has other addresses than it was started with: it was told settings while it runs (CONFIG SET).
func (c *redisConfig) changed(title string) bool {
	m := redisTitle.FindStringSubmatch(title)
	return m != nil && m[1] != cmp.Or(c.first, "*")
}

// redisUser is whether somebody is a user without a password, and may do everything then.
type redisUser struct{ open, all bool }

// redisRules applies the rules of a user in their order (redis.io, ACL SETUSER): a password takes nopass away, and nopass the passwords. What
// requirepass says of the default user is gone where it has rules.
func redisRules(rules []string) (u redisUser) {
	on, nopass := false, false
	for _, w := range rules {
		switch low := strings.ToLower(w); {
		case low == "on":
			on = true
		case low == "off":
			on = false
		case low == "nopass":
			nopass = true
		case low == "reset":
			on, nopass, u.all = false, false, false
		case low == "resetpass" || w[0] == '>' || w[0] == '#':
			nopass = false
		case low == "+@all" || low == "allcommands":
			u.all = true
		case w[0] == '-' || low == "nocommands":
			u.all = false
		}
	}
	u.open = on && nopass
	return u
}

// unasked is a user that needs no password, the default one first.
func (c *redisConfig) unasked() (name string, u redisUser) {
	def, ruled := c.users["default"]
	if !ruled {
		def = redisUser{!c.password, true}
	}
	if def.open {
		return "default", def
	}
	for _, n := range slices.Sorted(maps.Keys(c.users)) {
		if v := c.users[n]; v.open && (!u.open || v.all && !u.all) {
			name, u = n, v
		}
	}
	return name, u
}

// redisAccess reads the file that Redis is started with and its options, which count as lines after it (redis.conf). In protected mode, without
// a password, it talks to loopback alone; before version 7 only if it was told no address.
func redisAccess(d *dataFiles) access {
	programs := []string{"redis-server", "valkey-server", "keydb-server"}
	argv := d.argv
	if len(argv) < 2 { // its title
		if argv = d.startedWith(programs...); argv == nil {
			return access{err: errTitle}
		}
	}
	c := redisConfig{protected: true}
	rest := argv[1:]
	if len(rest) > 0 && !strings.HasPrefix(rest[0], "--") {
		if err := c.read(d, rest[0], 0); err != nil {
			return access{err: err}
		}
		rest = rest[1:]
	}
	for len(rest) > 0 {
		key := strings.TrimPrefix(rest[0], "--")
		rest = rest[1:]
		end := slices.IndexFunc(rest, func(a string) bool { return strings.HasPrefix(a, "--") })
		if end < 0 {
			end = len(rest)
		}
		if err := c.line(d, key, strings.Join(rest[:end], " "), 0); err != nil {
			return access{err: err}
		}
		rest = rest[end:]
	}
	if err := c.readUsers(d); err != nil {
		return access{err: err}
	}
	const gives = "reads and writes all of its data, and changes its settings"
	name, user := c.unasked()
	switch {
	case len(d.argv) == 1 && c.changed(d.argv[0]):
		return access{err: errors.New("it has other addresses than it was started with: its settings were changed since")}
	case !user.open:
		return access{login: dataAsks}
	case !user.all:
		return access{err: fmt.Errorf("the user %s needs no password, and what it may do was not looked at", name)}
	case name != "default": // protected mode is about the default user
		return access{login: dataNone, gives: gives, how: fmt.Sprintf("the user %s needs no password", name)}
	case !c.told && d.p.Container != "":
		return access{err: errors.New("no password is set, and whether protected mode is on by default hangs on its image")}
	case !c.protected:
		return access{login: dataNone, gives: gives, how: "protected-mode no, and no password"}
	case c.bind && d.p.exeBase() != "valkey-server" && d.p.exeBase() != "valkey-check-rdb":
		return access{err: errors.New("no password is set, and whether its protected mode counts beside bind hangs on its version")}
	}
	return access{login: dataLocal, gives: gives, how: "no password; protected mode keeps others than loopback out"}
}

func (c *redisConfig) read(d *dataFiles, file string, depth int) error {
	text, err := d.text(file)
	if err != nil {
		return err
	}
	for _, l := range keyLines(text) {
		if err := c.line(d, l[0], l[1], depth); err != nil {
			return err
		}
	}
	return nil
}

// line applies a setting of redis.conf. Addresses of loopback alone are told no more than the sockets tell.
func (c *redisConfig) line(d *dataFiles, key, value string, depth int) error {
	value = strings.Trim(value, `"'`)
	switch strings.ToLower(key) {
	case "include":
		files, more := []string{value}, depth > 8
		if strings.ContainsAny(value, "*?[") {
			files, more = d.s.globIn(d.p, value)
		}
		if more || !path.IsAbs(value) {
			return fmt.Errorf("it includes %s, which is not followed", value)
		}
		slices.Sort(files)
		for _, f := range files {
			if err := c.read(d, f, depth+1); err != nil {
				return err
			}
		}
	case "protected-mode":
		c.protected, c.told = !strings.EqualFold(value, "no"), true
	case "bind":
		c.first, _, _ = strings.Cut(strings.TrimSpace(value), " ")
		c.bind = strings.ContainsFunc(value, func(rune) bool { return true }) && !onlyLoopback(strings.Fields(value))
	case "requirepass":
		c.password = value != ""
	case "aclfile":
		c.acl = value
	case "user":
		return c.user(value)
	}
	return nil
}

func (c *redisConfig) user(line string) error {
	f := strings.Fields(line)
	if len(f) == 0 {
		return nil
	}
	if len(c.users) >= maxServices {
		return fmt.Errorf("it has more than %d users", maxServices)
	}
	if c.users == nil {
		c.users = map[string]redisUser{}
	}
	c.users[f[0]] = redisRules(f[1:])
	return nil
}

// readUsers reads the file of its users, if there is one. The default user is one without a password then that it does not name, whatever
// requirepass says (seen with 7.0.15).
func (c *redisConfig) readUsers(d *dataFiles) error {
	if c.acl == "" {
		return nil
	}
	text, err := d.text(c.acl)
	if err != nil {
		return err
	}
	c.password, c.users = false, nil
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "user "); ok {
			if err := c.user(rest); err != nil {
				return err
			}
		}
	}
	return nil
}

// onlyLoopback says of addresses that each is one of the host itself, or every one that there is.
func onlyLoopback(addrs []string) bool {
	return !slices.ContainsFunc(addrs, func(a string) bool {
		a = strings.TrimPrefix(a, "-")
		return a != "localhost" && a != "::1" && !strings.HasPrefix(a, "127.")
	})
}

// influxAccess reads auth-enabled of influxdb.conf of version 1, which the environment overrides; it is off by default.
func influxAccess(d *dataFiles) access {
	file := cmp.Or(last(optionValues(d.argv, "-config", "--config")), d.env["INFLUXDB_CONFIG_PATH"])
	if file == "" {
		return access{err: errors.New("it is given no configuration, and its version is not known")}
	}
	text, err := d.text(file)
	if err != nil {
		return access{err: err}
	}
	asks, err := influxAsks(text)
	if err != nil {
		return access{err: err}
	}
	if v := d.env["INFLUXDB_HTTP_AUTH_ENABLED"]; v != "" {
		asks = v
	}
	if on, err := strconv.ParseBool(asks); err == nil && on {
		return access{login: dataAsks}
	}
	return access{login: dataNone, gives: "reads and writes all of its data, and its users", how: "auth-enabled of [http] is off"}
}

// influxAsks is auth-enabled of [http]. Names can be in quotes and in large letters, and of a table in one line; texts of several lines are not
// followed.
func influxAsks(text string) (asks string, err error) {
	asks = "false"
	if strings.Contains(text, "\"\"\"") || strings.Contains(text, "'''") {
		return "", errors.New("its file has texts of several lines, which are not followed")
	}
	name := func(v string) string { return strings.ToLower(strings.Trim(strings.TrimSpace(v), "\"'")) }
	section := ""
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		key, value, _ := strings.Cut(line, "=")
		table, inner, _ := strings.Cut(key, ".")
		switch {
		case strings.HasPrefix(line, "["):
			section = name(strings.Trim(line, "[] "))
		case section == "http" && name(key) == "auth-enabled", section == "" && name(table) == "http" && name(inner) == "auth-enabled":
			asks = strings.TrimSpace(value)
		case section == "" && name(key) == "http":
			return "", errors.New("its file has [http] in one line, which is not followed")
		}
	}
	return asks, nil
}

// mongoAccess reads the options of mongod(1) and its file of YAML: it asks with authorization, a key file, or certificates between members.
func mongoAccess(d *dataFiles) access {
	if hasFlag(d.argv, "--auth") || anyArgument(d.argv, "--keyFile", "--clusterAuthMode") {
		return access{login: dataAsks}
	}
	const gives = "reads and writes all of its data"
	file := last(optionValues(d.argv, "-f", "--config"))
	if file == "" {
		return access{login: dataNone, gives: gives, how: "no --auth is given"}
	}
	text, err := d.text(file)
	if err != nil {
		return access{err: err}
	}
	m, err := d.s.readYAML(d.p, file)
	switch {
	case strings.Contains(text, "__exec") || strings.Contains(text, "__rest"):
		return access{err: fmt.Errorf("%s has settings that a program tells", file)}
	case err != nil: // the older form
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(strings.ReplaceAll(line, " ", ""), "=")
			if key == "auth" && strings.TrimSpace(value) == "true" || key == "keyFile" {
				return access{login: dataAsks}
			}
		}
		return access{err: err}
	case valueAt(m, "security", "authorization") == "enabled", isSet(valueAt(m, "security", "keyFile")), isSet(valueAt(m, "security", "clusterAuthMode")):
		return access{login: dataAsks}
	}
	return access{login: dataNone, gives: gives, how: "security.authorization is not enabled"}
}
