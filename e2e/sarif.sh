#!/bin/sh
# Lets Microsoft's validator read the SARIF files in a directory. Its exit code says nothing, so its
# own log is searched for errors.
set -eu
cd "$1"
tool=node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool
chmod u+x "$tool"
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
for f in hostile.sarif; do
	"$tool" validate "$f" --rule-kind 'Sarif;Ghas' --log ForceOverwrite --output "$f.log" >/dev/null
	if grep -q '"level": "error"' "$f.log"; then
		grep -B2 -A12 '"level": "error"' "$f.log" | head -60
		echo "$f: the validator has errors" >&2
		exit 1
	fi
	echo "$f: the validator has no errors"
done
