#!/bin/sh
# The program in every image of kubelet/images.ts; $VERSION is the image's tag and says what becomes of it.
echo "web $VERSION starts"
mkdir -p /tmp/www
case $VERSION in
*crash)
  echo 'cannot start: DATABASE_URL is not set' >&2
  exit 7
  ;;
*once)
  # Crashes once in each pod: the volume outlives the container.
  if [ ! -e /scratch/tried ]; then
    touch /scratch/tried
    echo 'the database is not there yet' >&2
    exit 5
  fi
  ;;
*slow)
  (
    sleep 4
    echo ok >/tmp/www/healthz
  ) &
  ;;
*oom)
  exec tail /dev/zero
  ;;
esac
case $VERSION in
*slow | *unready) ;;
*) echo ok >/tmp/www/healthz ;;
esac
echo "web $VERSION listens"
exec httpd -f -p 8080 -h /tmp/www
