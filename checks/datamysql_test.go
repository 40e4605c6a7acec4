//go:build linux && !ringfence_portable

package checks

import (
	"strings"
	"testing"
)

// TestGrantsOfMariaDB: who is let in without tables of grants is whom MariaDB 10.11 let in with these options and files; otherwise accounts decide,
// and a group for a version is not held against it.
func TestGrantsOfMariaDB(t *testing.T) {
	const skips = "[mysqld]\nskip-grant-tables\n"
	for name, c := range map[string]struct {
		my   string // /etc/mysql/my.cnf
		argv string
		env  string
		want string
	}{
		"shorter":                      {"", "--skip-gr", "", dataNone},
		"underscores":                  {"", "--skip_grant_tables", "", dataNone},
		"zero":                         {"", "--skip-grant-tables=0", "", ""},
		"yes is no word of its own":    {"", "--skip-grant-tables=yes", "", ""},
		"turned round":                 {"", "--skip-grant-tables --disable-skip-grant-tables", "", ""},
		"turned round twice":           {"", "--skip-grant-tables --skip-skip-grant-tables", "", ""},
		"enabled":                      {"", "--enable-skip-grant-tables", "", dataNone},
		"if it knows it":               {"", "--loose-skip-grant-tables", "", dataNone},
		"a file, shorter":              {"[mysqld]\nskip-grant\n", "", "", dataNone},
		"a file, with a comment":       {"[mysqld]\nskip-grant-tables=0 # x\n", "", "", ""},
		"a file, in quotes":            {"[mysqld]\nskip-grant-tables=\"OFF\" # x\n", "", "", ""},
		"a file, comments":             {"[mysqld] # x\nskip-grant-tables # x\n", "", "", dataNone},
		"a file, large letters":        {"[MYSQLD]\nSKIP-GRANT-TABLES\n", "", "", dataNone},
		"a file, blanks":               {"[mysqld]\n  skip-grant-tables = 1  \n", "", "", dataNone},
		"a file, turned round":         {skips + "disable_skip_grant_tables\n", "", "", ""},
		"arguments after a file":       {"[mysqld]\ndisable-skip-grant-tables\n", "--skip-grant-tables", "", dataNone},
		"a group for a version":        {"[mariadb-10.11]\nskip-grant-tables\n", "", "", ""},
		"a group for another version":  {"[mysqld-5.7]\nskip-grant-tables\n", "", "", ""},
		"of mysqld_safe":               {"[mariadb_safe]\nskip-grant-tables\n", "", "", ""},
		"of all":                       {"[client-server]\nskip-grant-tables\n", "", "", dataNone},
		"of its home":                  {"", "", "HOME=/h", dataNone},
		"of MYSQL_HOME":                {"", "", "MYSQL_HOME=/m", dataNone},
		"a group of a suffix":          {"[mysqld.x]\nskip-grant-tables\n", "", "MYSQL_GROUP_SUFFIX=.x", dataNone},
		"a group of a suffix it wants": {"[mysqld.x]\nskip-grant-tables\n", "--defaults-group-suffix=.x", "", dataNone},
		"a group of another suffix":    {"[mysqld.x]\nskip-grant-tables\n", "", "", ""},
		"what includes decides":        {"[mysqld]\n!include /m/my.cnf\nskip-grant-tables=0\n", "", "", ""},
		"what is included decides":     {"[mysqld]\nskip-grant-tables=0\n!include /m/my.cnf\n", "", "", dataNone},
		"a hidden file":                {"!includedir /m/d\n", "", "", dataNone},
		"no files":                     {skips, "--no-defaults", "", ""},
		"another file":                 {skips, "--defaults-file=/off", "", ""},
		"one more file":                {"", "--defaults-extra-file=/m/my.cnf", "", dataNone},
		"one more file, off":           {skips, "--defaults-extra-file=/off", "", ""},
		"one that includes itself":     {skips + "!include /etc/mysql/my.cnf\n", "", "", ""},
	} {
		files := map[string]string{
			"etc/mysql/my.cnf": c.my, "h/.my.cnf": skips, "m/my.cnf": skips, "m/d/.h.cnf": skips, "m/d/a.ini": "[mysqld]\nskip-grant-tables=0\n",
			"off": "[mysqld]\nskip-grant-tables=0\n", "environ": c.env,
		}
		m := settingsAt(t, files, append([]string{"mariadbd"}, strings.Fields(c.argv)...)...)
		if got := m["login"]; got.Value != c.want || (c.want == "") != (got.Reason != "") {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
	}
}
