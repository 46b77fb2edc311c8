#!/usr/bin/env bash
# Install Microsoft's SARIF validator into a directory of its own (the argument, or a new temporary one) and print the path
# of its program: TRAINLINT_SARIF_MULTITOOL="$(tools/sarif_multitool.sh)" pytest tests/reporters
set -euo pipefail
directory="${1:-$(mktemp -d)}"
npm install --silent --no-audit --no-fund --prefix "$directory" '@microsoft/sarif-multitool-linux@^5' >&2
# the program itself: the wrapper in node_modules/.bin hands its arguments to a shell, which splits 'Sarif;Ghas'
program="$directory/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool"
"$program" version >&2
echo "$program"
