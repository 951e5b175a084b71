#!/bin/sh
# Bundle the two libraries that read sealed Parquet into parquet.js. Needs npm; run by hand when a version is raised.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"
npm init -y >/dev/null
npm install --silent --ignore-scripts hyparquet@1.33.0 fzstd@0.1.1 esbuild@0.28.2
cat > entry.js <<'JS'
export { parquetMetadata, parquetReadObjects } from 'hyparquet'
export { decompress } from 'fzstd'
JS
node node_modules/esbuild/bin/esbuild entry.js --bundle --minify --legal-comments=none --format=iife \
  --global-name=libraries --outfile=bundle.js --log-level=warning
{
  echo "/*!"
  echo "hyparquet 1.33.0, https://github.com/hyparam/hyparquet"
  sed 's/\*\///' node_modules/hyparquet/LICENSE
  echo
  echo "fzstd 0.1.1, https://github.com/101arrowz/fzstd"
  sed 's/\*\///' node_modules/fzstd/LICENSE
  echo; echo "*/"
  cat bundle.js
  echo "export const parquetMetadata = libraries.parquetMetadata;"
  echo "export const parquetReadObjects = libraries.parquetReadObjects;"
  echo "export const decompress = libraries.decompress;"
} > "$here/parquet.js"
