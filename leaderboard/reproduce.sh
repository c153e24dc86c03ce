#!/usr/bin/env bash
# Every measured row of the leaderboard that needs no training, from nothing: data sets, runs, submissions.
# Usage: leaderboard/reproduce.sh [LEADERBOARD.csv]     (DATA=folder of the sets, default data)
set -euo pipefail
cd "$(dirname "$0")/.."
board=${1:-leaderboard/leaderboard.csv}
data=${DATA:-data}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

made() { # name recipe [set options]: make a set unless it is there
  local name=$1 recipe=$2
  shift 2
  csist-bench generate --recipe "$recipe" --out "$data/$name.zarr" --resume "$@" 2> /dev/null
}

row() { # set method ranks [settings]: run once, submit once per ranking
  local set=$1 method=$2 ranks=$3
  shift 3
  # Compiles what is not compiled yet, so that the rate is that of the method.
  csist-bench run "$method" --data "$data/$set.zarr" --out "$work/first.npz" --overwrite --limit 2 "$@" 2> /dev/null
  csist-bench run "$method" --data "$data/$set.zarr" --out "$work/preds.npz" --overwrite "$@"
  for rank in $ranks; do
    csist-bench submit "$work/preds.npz" --data "$data/$set.zarr" --tier reproduced --rank "$rank" \
      --leaderboard "$board"
  done
}

network() { # method weights sets [ranks]: run weights once a set, decode twice, submit both; PRECISION=bfloat16
  local method=$1 weights=$2 sets=$3 ranks=${4:-score}
  for set in $sets; do
    csist-bench run "$method" --data "$data/$set.zarr" --weights "$weights" --decoder grid --decoder polish \
      ${PRECISION:+--precision "$PRECISION"} --out "$work/net.npz" --overwrite
    for rank in $ranks; do
      csist-bench submit "$work/net-grid.npz" --data "$data/$set.zarr" --tier reproduced --rank "$rank" \
        --leaderboard "$board"
    done
    csist-bench submit "$work/net-polish.npz" --data "$data/$set.zarr" --tier reproduced --leaderboard "$board"
  done
}

both="score brightness"
made seqcsist seqcsist
made seqcsist-8bit seqcsist-8bit
for sigma in 1 2 3 4 5; do made "noise$sigma" seqcsist-noise --set "noise_sigma=$sigma"; done
made seqcsist-rotated seqcsist-rotated
made rotated-noise2 seqcsist-rotated --set noise_sigma=2
made rotated-noise5 seqcsist-rotated --set noise_sigma=5
made seqcsist-rotated-scaled seqcsist-rotated-scaled
made seqcsist-dense seqcsist-dense
for sigma in 2 5; do made "free$sigma" seqcsist-free --set "noise_sigma=$sigma" --set separation_min=0; done

row seqcsist bid score
row seqcsist ista score
row seqcsist ista score --set lambda=3

for set in seqcsist seqcsist-8bit noise1 noise2 noise3 noise5; do
  row "$set" ml "$both"
  row "$set" ml score --set brightness=free
  row "$set" ml-seq "$both" --set frames=5
  row "$set" ml-seq "$both"
  for frames in 1 5 20; do row "$set" group-map "$both" --set "frames=$frames"; done
done
row noise5 group-map "$both" --set start=integer
# One frame: what the frame's index tells, and answers decided for the metric (hedged: more of them than targets).
for set in noise2 noise5; do
  row "$set" group-map score --set frames=1 --set start=integer
  for answers in posterior hedged; do
    row "$set" group-map score --set frames=1 --set "answers=$answers"
    row "$set" group-map score --set frames=1 --set start=integer --set "answers=$answers"
  done
done

for set in seqcsist-rotated rotated-noise2 rotated-noise5; do
  row "$set" ml score
  row "$set" ml-seq score
  row "$set" group-map score
  row "$set" group-map score --set axes=rotated
done
row seqcsist-rotated-scaled ml score
row seqcsist-rotated-scaled ml-seq score
row seqcsist-rotated-scaled group-map score
row seqcsist-rotated-scaled group-map score --set axes=rotated --set radius=0.33 --set radius_sd=0.08
row seqcsist-dense ml score
row seqcsist-dense ml-seq score
row seqcsist-dense group-map score --set directions=compass

# What the Bayes lines of tiers B and C are drawn for.
for set in free2 free5; do
  row "$set" ml score
  row "$set" ml-seq score --set frames=5
done

splits="seqcsist seqcsist-rotated seqcsist-rotated-scaled"
for method in espcn srcnn edsr lamp tilista ista-net ista-net+ ista-net++ fista-net derefnet; do
  network "$method" "$method" "$splits"
done
network derefnet derefnet-published "$splits"
for method in dbpn tdan focus srgan; do network "$method" "$method" "$splits"; done
network srgan srgan-regression "$splits"
for method in usrnet rpcanet dista-net; do
  network "$method" "$method" seqcsist
  PRECISION=bfloat16 network "$method" "$method" "seqcsist-rotated seqcsist-rotated-scaled"
done
PRECISION=bfloat16 network gmfn gmfn "$splits"
# Weights of these take 24 to 45 MB and are not shipped: train them first (csist-bench train lista --out runs/lista;
# csist-bench train esrgan --recipe recipes/methods/esrgan-regression.toml --out runs/esrgan-regression).
trained() { # method run sets [weights]: the rows of a finished run of your own, where it is
  local weights="runs/$2/${4:-best}.safetensors"
  if [ -f "$weights" ]; then network "$1" "$weights" "$3"; fi
}
for method in lista liht; do trained "$method" "$method" "$splits"; done
PRECISION=bfloat16 trained rdn rdn "$splits"
for method in esrgan bsrgan; do
  # Last weights, for the critic's sake: the best by validation may be those of the windows, which never met it.
  PRECISION=bfloat16 trained "$method" "$method-regression" "$splits" last
  PRECISION=bfloat16 trained "$method" "$method" "$splits" last
done
network espcn espcn-ranked "$splits"
network ista-net+ ista-net+-ranked "seqcsist seqcsist-rotated"
for set in noise2 noise3 noise4 noise5; do network ista-net "ista-net-$set" "$set"; done
network ista-net ista-net-dense seqcsist-dense
for set in noise2 noise3 noise4 noise5; do network derefnet "derefnet-$set" "$set"; done
network derefnet derefnet-dense seqcsist-dense

network offgrid-net offgrid-net "seqcsist seqcsist-8bit noise2 noise5" "score brightness precision"
network offgrid-net offgrid-net \
  "noise1 noise3 seqcsist-rotated rotated-noise2 rotated-noise5 seqcsist-rotated-scaled seqcsist-dense"
for frames in 5 20; do
  network offgrid-net "offgrid-net-$frames" "seqcsist seqcsist-8bit noise1 noise2 noise3 noise5 seqcsist-rotated"
done
for law in free rotated; do
  network offgrid-net "offgrid-net-$law" "seqcsist seqcsist-8bit noise1 noise2 noise3 noise5 seqcsist-dense \
    seqcsist-rotated rotated-noise2 rotated-noise5 seqcsist-rotated-scaled"
done
network offgrid-net offgrid-net-rotated-20 "seqcsist-rotated rotated-noise2 rotated-noise5 seqcsist-rotated-scaled \
  seqcsist noise2 noise5"
network offgrid-net offgrid-net-dense "seqcsist-dense seqcsist noise2 noise5"
csist-bench leaderboard --markdown leaderboard/README.md --html leaderboard/index.html
