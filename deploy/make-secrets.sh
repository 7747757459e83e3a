#!/bin/sh
# Makes the secrets of compose.scale.yaml and of kubernetes/ in deploy/secrets, or in the directory that is named. What is
# there already stays as it is, so a master key or a password of your own may be put there first.
#
#   deploy/make-secrets.sh [DIRECTORY]
set -eu
umask 077
directory=${1:-$(dirname "$0")/secrets}
mkdir -p "$directory"

# make NAME TEXT: nobody but the owner gets into the directory; a container that is given the file reads it as any user.
make() {
    [ -e "$directory/$1" ] && return
    printf '%s\n' "$2" > "$directory/$1.new"
    chmod 0444 "$directory/$1.new"
    mv "$directory/$1.new" "$directory/$1"
    echo "made $directory/$1"
}

# 256 random bits in base64url.
random() {
    head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'
}

make postgres_password "$(random)"
make database_url "postgresql://moorage:$(cat "$directory/postgres_password")@postgres/registry"
make s3_secret_key "$(random)"
make master_key "mrg_key_$(random)"
make admin_password "$(random)"
