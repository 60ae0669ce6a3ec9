# Spickzettel Stockwaage + Rechner, von Jannik erklaert, ich vergess es sonst

# auf den Pi draufkommen (nur im Heimnetz oder ueber VPN)
ssh imme@192.168.178.47

# Dienst neu starten wenn Werte haengen
sudo systemctl restart stockwaage.service

# letzte Fehler ansehen
journalctl -u stockwaage.service -n 80 --no-pager

# Tara neu setzen, vorher Honigraum runter!!
python3 /opt/waage/tara.py --volk 1 --messungen 25

# Messwerte auf den Laptop holen
rsync -av imme@192.168.178.47:/var/lib/waage/csv/ ~/Bienen/waage/

# Datenbank wird gross -> alles aelter als 400 Tage weg
sqlite3 /var/lib/waage/messung.db "DELETE FROM werte WHERE zeit < date('now','-400 days'); VACUUM;"

# Sicherung auf den grauen USB-Stick, jeden 1. im Monat
tar czf /media/marlies/GRAU/waage_$(date +%F).tgz ~/Bienen/waage

# Etiketten drucken (Brother, Rolle 62 mm)
brother_ql -m QL-700 -p usb://0x04f9:0x2042 print -l 62 etikett_2025.png

# Fotos vom Handy kleiner machen fuer die Vereinsseite
mogrify -resize 1600x -quality 82 *.jpg

# Akkustand abfragen
cat /run/waage/volt

# PDF vom Kassenbericht zusammenfuegen
pdfunite kasse_q1.pdf kasse_q2.pdf kasse_q3.pdf kasse_q4.pdf kasse_jahr.pdf

# NICHT mehr benutzen: das alte Skript hat die Tabelle geloescht
# python3 /opt/waage/reset_alt.py
# wenn gar nichts geht: Jannik anrufen, abends ab 18 Uhr, oder Stecker 30 s ziehen
