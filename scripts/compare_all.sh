#!/bin/sh
# Compares dbt and medal on many projects and prints one table: compare_all.sh DBT_BIN MEDAL_BIN PROJECT_DIR...
# Each project needs its packages and a profiles.yml. What compare.py says of a project is in $LOGS/NAME.txt.
# More options for a project, one a line, are read from a file `compare.args` in its folder, if there is one.
set -u
[ $# -ge 3 ] || { sed -n '2,4s/^# //p' "$0"; exit 2; }
dbt=$1 medal=$2
shift 2
logs=${LOGS:-$(mktemp -d)}
compare=$(dirname "$0")/compare.py
status=0
mkdir -p "$logs"
echo "| project | nodes | relations equal | relations different | all differences | dbt s | medal s |"
echo "|---|---|---|---|---|---|---|"
for project in "$@"; do
  name=$(basename "$project")
  options=$(mktemp)
  [ ! -f "$project/compare.args" ] || cat "$project/compare.args" > "$options"
  PYTHON=${PYTHON:-python3}
  tr '\n' '\0' < "$options" |
    xargs -0 "$PYTHON" "$compare" "$project" --dbt "$dbt" --medal "$medal" --dbt-twice > "$logs/$name.txt" 2>&1 || status=1
  grep "^| $name |" "$logs/$name.txt" || echo "| $name | no comparison: $(tail -n 1 "$logs/$name.txt") |"
  rm -f "$options"
done
echo "logs: $logs" >&2
exit $status
