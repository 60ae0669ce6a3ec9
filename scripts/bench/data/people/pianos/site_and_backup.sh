# commands I always forget. shop laptop (the thinkpad), not the tablet

# push website changes after editing price list
cd ~/site && hugo --minify && rsync -az --delete public/ corkum@web3.fundyhost.example:/var/www/pianos/

# renew cert if browser complains (normally automatic)
ssh corkum@web3.fundyhost.example 'sudo certbot renew --force-renewal'

# nightly backup, cron 02:20. disk is the orange lacie
restic -r /mnt/lacie/restic backup ~/shop ~/site ~/recordings --exclude '*.tmp'

# thin old snapshots, run monthly
restic -r /mnt/lacie/restic forget --keep-daily 14 --keep-monthly 24 --prune

# restore ONE file, tested in march and it worked
restic -r /mnt/lacie/restic restore latest --target /tmp/back --include ~/shop/restorations.md

# second copy offsite at Bernadette's sister, every quarter
# swap the two drives, the other one is labelled HERRING

# trim + normalise before/after recordings for customers
ffmpeg -i raw.wav -af "silenceremove=1:0:-50dB,loudnorm=I=-18" -b:a 256k out.mp3

# roll scanner: 300 dpi, one roll is about 1.4 GB
rollscan --dpi 300 --out ~/recordings/rolls/ --format tiff

# sum unpaid invoices
awk -F, '$7=="NO"{s+=$6} END{print s}' ~/shop/sales_2025.csv

# restart climate thing when readings freeze
ssh marc@10.0.0.31 'sudo systemctl restart climated'

# printer stuck: clear queue
cancel -a Brother_HL && sudo systemctl restart cups

# old ftp upload DON'T, host turned it off in may
