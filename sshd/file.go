// Package sshd reads the configuration of OpenSSH's server as the server does: files and what they include, Match blocks, options of the command
// line, and lists of users and groups. It says what holds for which connections, and decides nothing.
package sshd

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// node is one directive of sshd_config(5). A Match block has the number of its criteria, an Include the files that it names.
type node struct {
	key   string
	args  []string
	block int
	files [][]node
}

// File is one configuration, all files that it includes in their places.
type File struct {
	nodes  []node
	Blocks []string // the criteria of each Match block, as written
	files  int      // that were read
	size   int      // of them all
	lines  int      // directives of them all
	asks   int      // bytes of the criteria
	// DropIns says that the folder for files of others is included, for every connection.
	DropIns bool
	// Earlier are the keywords that are set for every connection before DropIn is read: what that sets of them has no effect.
	Earlier []string
	placed  bool // DropIn is read, or would be
}

// DropIn is the file that the program has its settings in: the folder's files are read in the order of their names.
const DropIn = "/etc/ssh/sshd_config.d/00-ringfence.conf"

// dropIns is how the folder is included.
const dropIns = "/etc/ssh/sshd_config.d/*.conf"

// Bounds of one configuration: Match blocks, directives, and files and bytes that are read for it. Who may write one can include each
// file many times in the one above it.
const (
	maxMatchBlocks = 256
	maxDirectives  = 20_000
	maxCriteria    = 32 << 10 // bytes of all Match blocks
	maxSSHDFiles   = 1024
	maxSSHDSize    = 16 << 20
	maxIncludes    = 16 // levels, as sshd has it (servconf.c, SERVCONF_MAX_DEPTH)
)

// Source is how the files of a configuration are read and found.
type Source struct {
	Read func(string) ([]byte, error)
	Glob func(string) []string
	// Place is where the pattern of an Include begins that may have no directory; nil is below /etc/ssh (sshd_config(5)).
	Place func(pattern string) string
}

// Parse reads the files as sshd does (servconf.c): an Include is expanded in its place.
func Parse(path string, src Source) (*File, error) {
	if src.Place == nil {
		src.Place = below
	}
	f := new(File)
	nodes, err := f.parse(path, src, false, 0)
	f.nodes = nodes
	return f, err
}

// below is the place of a pattern on systems whose paths begin with a slash.
func below(pattern string) string {
	if path.IsAbs(pattern) {
		return pattern
	}
	return path.Join("/etc/ssh", pattern)
}

// parse reads one file; inMatch says that a Match block is above it.
func (f *File) parse(name string, src Source, inMatch bool, depth int) ([]node, error) {
	if depth > maxIncludes {
		return nil, fmt.Errorf("%s: included more than %d levels deep", name, maxIncludes)
	}
	b, err := src.Read(name)
	if err != nil {
		return nil, err
	}
	if f.files, f.size = f.files+1, f.size+len(b); f.files > maxSSHDFiles || f.size > maxSSHDSize {
		return nil, fmt.Errorf("%s: included in more than %d files or %d MiB", name, maxSSHDFiles, maxSSHDSize>>20)
	}
	var nodes []node
	for line := range bytes.Lines(b) {
		n := node{}
		if n.key, n.args = Directive(string(line)); n.key == "" {
			continue
		}
		if f.lines++; f.lines > maxDirectives {
			return nil, fmt.Errorf("%s: more than %d directives", name, maxDirectives)
		}
		switch n.key {
		case "match":
			if len(f.Blocks) >= maxMatchBlocks {
				return nil, fmt.Errorf("%s: more than %d Match blocks", name, maxMatchBlocks)
			}
			n.block, inMatch = len(f.Blocks), true
			f.Blocks = append(f.Blocks, strings.Join(n.args, " "))
			if f.asks += len(f.Blocks[n.block]); f.asks > maxCriteria {
				return nil, fmt.Errorf("%s: Match blocks of more than %d KiB", name, maxCriteria>>10)
			}
		case "include":
			if n.files, err = f.include(n.args, src, inMatch, depth); err != nil {
				return nil, err
			}
		default:
			if !inMatch && !f.placed && !slices.Contains(f.Earlier, n.key) {
				f.Earlier = append(f.Earlier, n.key)
			}
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// include reads the files of an Include.
func (f *File) include(patterns []string, src Source, inMatch bool, depth int) ([][]node, error) {
	var files [][]node
	for _, pat := range patterns {
		pat = src.Place(pat)
		place := !inMatch && pat == dropIns
		for _, name := range src.Glob(pat) {
			f.placed = f.placed || place && name >= DropIn
			nodes, err := f.parse(name, src, inMatch, depth+1)
			if err != nil {
				return nil, err
			}
			files = append(files, nodes)
		}
		f.DropIns, f.placed = f.DropIns || place, f.placed || place
	}
	return files, nil
}

// Directive separates the keyword of a line from its arguments: it ends at white space or one equals sign (misc.c, strdelim).
func Directive(line string) (key string, args []string) {
	line = strings.TrimLeft(strings.TrimRight(line, " \t\r\n\f"), " \t")
	if line == "" || line[0] == '#' {
		return "", nil
	}
	i := strings.IndexAny(line, " \t=")
	if i < 0 {
		i = len(line)
	}
	key = strings.ToLower(strings.Trim(line[:i], `"`))
	rest := strings.TrimLeft(line[i:], " \t")
	if after, ok := strings.CutPrefix(rest, "="); ok {
		rest = after
	}
	switch key {
	case "challengeresponseauthentication", "skeyauthentication", "challengeresponse":
		key = "kbdinteractiveauthentication"
	}
	return key, Words(rest)
}

// Words are the arguments of a line: blanks separate them, quotes and backslashes keep blanks, and what begins with # is a comment
// (misc.c, argv_split).
func Words(s string) []string {
	var list []string
	for i := 0; i < len(s); {
		if s[i] == ' ' || s[i] == '\t' {
			i++
			continue
		}
		if s[i] == '#' {
			break
		}
		var word []byte
		word, i = nextWord(s, i)
		list = append(list, string(word))
	}
	return list
}

// nextWord is the word that begins at i, and where it ends.
func nextWord(s string, i int) (word []byte, end int) {
	quote := byte(0)
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && (strings.IndexByte(`'"\`, s[i+1]) >= 0 || quote == 0 && s[i+1] == ' '):
			i++
			word = append(word, s[i])
		case quote == 0 && (c == ' ' || c == '\t'):
			return word, i
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		default:
			word = append(word, c)
		}
	}
	return word, i
}

// OptionSettings are options as settings: the first of a keyword counts.
func OptionSettings(options []string) map[string][]string {
	m := map[string][]string{}
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		n := &node{key: key, args: Words(value)}
		if _, set := m[key]; !set || listKeyword(key) {
			m[key] = append(m[key], valuesOf(n)...)
		}
	}
	return m
}

// listKeyword says of a keyword that each line adds to it; of the others the first counts (sshd_config(5)).
func listKeyword(key string) bool {
	return slices.Contains([]string{
		"port", "listenaddress", "hostkey", "hostcertificate", "allowusers", "allowgroups", "denyusers", "denygroups", "acceptenv", "setenv",
		"subsystem", "permitopen", "permitlisten",
	}, key)
}
