#!/usr/bin/env bash
# The audit step of the action, a script of its own so that it can be run by hand: results in $RUNNER_TEMP/pgolf-results,
# and in $GITHUB_OUTPUT the verdict and `gate`, the exit status that the job shall end with.
set -euo pipefail
results="$RUNNER_TEMP/pgolf-results"
mkdir -p "$results"
arguments=(--changed --base "$BASE" --repo "$CHECKOUT" --most "$MOST" --out "$results/report")
arguments+=(--json "$results/audit.json" --sarif "$results/audit.sarif" --summary "$GITHUB_STEP_SUMMARY")
if [ "$STATIC_ONLY" = true ]; then arguments+=(--static-only); fi
if [ -n "$RULES_AS_OF" ]; then arguments+=(--rules-as-of "$RULES_AS_OF"); fi

code=0
"$RUNNER_TEMP/pgolf/bin/pgolf-audit" audit "${arguments[@]}" || code=$?
case "$code" in
  0) verdict=PASS gate=0 ;;
  1) verdict=FAIL gate=1 ;;
  3) verdict=REVIEW gate=0 ;;
  *) verdict=ERROR gate="$code" ;;
esac
case "$FAIL_ON" in
  fail) ;;
  review) if [ "$verdict" = REVIEW ]; then gate=1; fi ;;
  never) if [ "$verdict" = FAIL ]; then gate=0; fi ;;
  *) echo "::error::fail-on is fail, review or never, not $FAIL_ON" ; gate=2 ;;
esac
printf 'verdict=%s\ngate=%s\n' "$verdict" "$gate" >> "$GITHUB_OUTPUT"
