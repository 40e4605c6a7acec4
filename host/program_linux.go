//go:build linux && !ringfence_portable

package host

import (
	"errors"
	"fmt"
	"os"
)

// ErrOpenProgram says that others than root can write this program, or put another one in its place.
var ErrOpenProgram = errors.New("others than root can write it or a directory on the way to it")

// cleanEnv is the environment of the programs that are started: nothing of the one that was found.
var cleanEnv = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}

// Environment is what a program of the system is started with, whatever this one was: PATH of system directories, and no locale.
func Environment() []string { return append([]string{}, cleanEnv...) }

// OwnProgram is the path of this program, at which root alone decides what is there: only then may it be named to somebody who runs
// it later as root, such as systemd. ErrOpenProgram says that others can.
func OwnProgram() (string, error) {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return exe, rootProgram(Local(), exe, "/proc/self/exe")
}

// rootProgram says of a path that root alone decides what is there, and that it is the program that runs.
func rootProgram(h *Host, exe, running string) error {
	author, at, err := h.Author(exe)
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	switch is, err := h.Stat(running); {
	case err != nil:
		return fmt.Errorf("find this program: %w", err)
	case is.Dev != at.Dev || is.Ino != at.Ino:
		return fmt.Errorf("this program is no longer at %s", exe)
	case !author.Root():
		return fmt.Errorf("this program, %s: %w", exe, ErrOpenProgram)
	}
	return nil
}
