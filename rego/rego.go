// Package rego embeds the policies, the Rego code that they share, and the dated data files of
// ports, process patterns, default authentication and version floors.
package rego

import (
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// Policies holds policies/<area>/<check>.rego with their tests beside them, and lib.
//
//go:embed policies lib
var Policies embed.FS

// Compiled holds the modules of Policies as a compiler leaves them, a line each: package judge writes and reads it.
//
//go:embed compiled.txt
var Compiled []byte

// Files are the names of the policies and of what they share, without their tests.
func Files() ([]string, error) {
	var files []string
	err := fs.WalkDir(Policies, ".", func(file string, e fs.DirEntry, err error) error { // in the order of names
		if err == nil && !e.IsDir() && path.Ext(file) == ".rego" && !strings.HasSuffix(file, "_test.rego") {
			files = append(files, file)
		}
		return err
	})
	return files, err
}

// Runtimes is the data file of agent and model runtimes.
//
//go:embed data/runtimes.json
var Runtimes []byte

//go:embed data/gains.json
var gains []byte

// GainData is what is known of programs that give who runs them more than they have, by their names.
type GainData struct {
	Date   string `json:"date"`
	Source string `json:"source"`
	// Harmless are set-id programs of distributions that are meant for everybody.
	Harmless []string `json:"harmless"`
	// Helpers are programs of desktops that pkexec runs for everybody who is at the machine.
	Helpers []string `json:"helpers"`
	// Runs are programs that run what their user tells them to, Writes those that write or read the files that their arguments name.
	Runs   []string `json:"runs"`
	Writes []string `json:"writes"`
	// Typed are programs into which their user types commands that they run, whatever their arguments.
	Typed []string `json:"typed"`
	// Reads are programs that read the files that their arguments name, and write none. Becomes are those by which root has somebody become root, or
	// that run for root alone what they are told; Filters those by which root changes the packet filter.
	Reads   []string `json:"reads"`
	Becomes []string `json:"becomes"`
	Filters []string `json:"filters"`
	// Decides are files, and directories with a slash, whose text decides what root does.
	Decides []string `json:"decides"`
	// Narrow are the first words of programs with which they do not do more for who runs them, whatever comes after; * is any.
	Narrow map[string][]string `json:"narrow"`
	// Actions are those of polkit by which somebody becomes root.
	Actions []string `json:"actions"`
	// FilterActions are those by which somebody changes the packet filter. Services are who does what actions are about, by how their names begin.
	FilterActions []string          `json:"filterActions"`
	Services      map[string]string `json:"services"`
	// Asks are services of root on the system bus that ask polkit who may do something, or do nothing for others by which they become more.
	Asks []string `json:"asks"`
	// Answers are daemons of root of which everybody may speak to some sockets, and does not become more by that.
	Answers []struct {
		Program string `json:"program"`
		// Sockets are how their paths begin, or their names after an @.
		Sockets []string `json:"sockets"`
		Why     string   `json:"why"`
	} `json:"answers"`
	// AnswersRoot are the places of those sockets by which root does not become more either.
	AnswersRoot []string `json:"answersRoot"`
	// Meant are units whose users decide who becomes root, and how.
	Meant map[string]string `json:"meant"`
}

// Gains is the data file of such programs.
var Gains = sync.OnceValue(func() *GainData {
	d := new(GainData)
	if err := json.Unmarshal(gains, d); err != nil {
		panic(fmt.Sprintf("read gains.json: %v", err)) // it is part of the program
	}
	return d
})

// Floors is the data file of versions below which a component has a known hole, with where that is told.
//
//go:embed data/floors.json
var Floors []byte

// Digest is the digest of the policies, of what they share and of the data files, without their tests: two builds with the same one
// judge alike.
func Digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "runtimes.json %d\n%s", len(Runtimes), Runtimes)
	fmt.Fprintf(h, "gains.json %d\n%s", len(gains), gains)
	fmt.Fprintf(h, "floors.json %d\n%s", len(Floors), Floors)
	files, err := Files()
	for _, file := range files {
		var b []byte
		if b, err = Policies.ReadFile(file); err != nil {
			break
		}
		fmt.Fprintf(h, "%s %d\n%s", file, len(b), b)
	}
	if err != nil {
		panic(fmt.Sprintf("read embedded policies: %v", err)) // the file system is memory
	}
	return fmt.Sprintf("sha256:%x", h.Sum(nil))
}
