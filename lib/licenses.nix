# Licences by their name in nixpkgs: SPDX identifier, full name, whether they are free.
#
# What it is not: legal text, or a policy about which licences are admitted.
{ lib }:
let
  # A licence's metadata from its name, its SPDX identifier and its full name.
  describe =
    shortName:
    {
      spdxId ? null,
      fullName,
      free ? true,
      redistributable ? free,
      deprecated ? false,
    }:
    {
      inherit
        shortName
        fullName
        free
        redistributable
        deprecated
        ;
    }
    // lib.optionalAttrs (spdxId != null) {
      inherit spdxId;
      url = "https://spdx.org/licenses/${spdxId}.html";
    };

  free = spdxId: fullName: { inherit spdxId fullName; };
  unfree = spdxId: fullName: {
    inherit spdxId fullName;
    free = false;
    redistributable = true;
  };
  # Licences SPDX has no identifier for.
  named = fullName: { inherit fullName; };
in
builtins.mapAttrs describe {
  abstyles = free "Abstyles" "Abstyles License";
  acsl14 = named "Anti-Capitalist Software License v1.4" // { free = false; };
  afl20 = free "AFL-2.0" "Academic Free License v2.0";
  afl21 = free "AFL-2.1" "Academic Free License v2.1";
  afl3 = free "AFL-3.0" "Academic Free License v3.0";
  agpl3Only = free "AGPL-3.0-only" "GNU Affero General Public License v3.0 only";
  agpl3Plus = free "AGPL-3.0-or-later" "GNU Affero General Public License v3.0 or later";
  apple-psl20 = free "APSL-2.0" "Apple Public Source License 2.0";
  arphicpl = free "Arphic-1999" "Arphic Public License";
  artistic1 = free "Artistic-1.0" "Artistic License 1.0";
  artistic2 = free "Artistic-2.0" "Artistic License 2.0";
  asl20 = free "Apache-2.0" "Apache License 2.0";
  bitstreamVera = free "Bitstream-Vera" "Bitstream Vera Font License";
  blueOak100 = free "BlueOak-1.0.0" "Blue Oak Model License 1.0.0";
  boost = free "BSL-1.0" "Boost Software License 1.0";
  bsd0 = free "0BSD" "BSD Zero Clause License";
  bsd1 = free "BSD-1-Clause" "BSD 1-Clause License";
  bsd2 = free "BSD-2-Clause" "BSD 2-clause \"Simplified\" License";
  bsd2Patent = free "BSD-2-Clause-Patent" "BSD-2-Clause Plus Patent License";
  bsd3 = free "BSD-3-Clause" "BSD 3-clause \"New\" or \"Revised\" License";
  bsd3Clear = free "BSD-3-Clause-Clear" "BSD 3-Clause Clear License";
  bsdOriginal = free "BSD-4-Clause" "BSD 4-clause \"Original\" or \"Old\" License";
  bsdOriginalUC = free "BSD-4-Clause-UC" "BSD 4-Clause University of California-Specific";
  bsl11 = unfree "BUSL-1.1" "Business Source License 1.1";
  caldera = free "Caldera" "Caldera License";
  capec = named "Common Attack Pattern Enumeration and Classification";
  caossl = named "Computer Associates Open Source Licence Version 1.0";
  cc-by-10 = free "CC-BY-1.0" "Creative Commons Attribution 1.0";
  cc-by-30 = free "CC-BY-3.0" "Creative Commons Attribution 3.0";
  cc-by-40 = free "CC-BY-4.0" "Creative Commons Attribution 4.0";
  cc-by-nc-30 = unfree "CC-BY-NC-3.0" "Creative Commons Attribution Non Commercial 3.0 Unported";
  cc-by-nc-40 = unfree "CC-BY-NC-4.0" "Creative Commons Attribution Non Commercial 4.0 International";
  cc-by-nc-nd-30 = unfree "CC-BY-NC-ND-3.0" "Creative Commons Attribution Non Commercial No Derivative Works 3.0 Unported";
  cc-by-nc-nd-40 = unfree "CC-BY-NC-ND-4.0" "Creative Commons Attribution Non Commercial No Derivative Works 4.0 International";
  cc-by-nc-sa-20 = unfree "CC-BY-NC-SA-2.0" "Creative Commons Attribution Non Commercial Share Alike 2.0";
  cc-by-nc-sa-25 = unfree "CC-BY-NC-SA-2.5" "Creative Commons Attribution Non Commercial Share Alike 2.5";
  cc-by-nc-sa-30 = unfree "CC-BY-NC-SA-3.0" "Creative Commons Attribution Non Commercial Share Alike 3.0";
  cc-by-nc-sa-40 = unfree "CC-BY-NC-SA-4.0" "Creative Commons Attribution Non Commercial Share Alike 4.0";
  cc-by-nd-30 = unfree "CC-BY-ND-3.0" "Creative Commons Attribution-No Derivative Works v3.00";
  cc-by-nd-40 = unfree "CC-BY-ND-4.0" "Creative Commons Attribution No Derivatives 4.0 International";
  cc-by-sa-10 = free "CC-BY-SA-1.0" "Creative Commons Attribution Share Alike 1.0";
  cc-by-sa-20 = free "CC-BY-SA-2.0" "Creative Commons Attribution Share Alike 2.0";
  cc-by-sa-25 = free "CC-BY-SA-2.5" "Creative Commons Attribution Share Alike 2.5";
  cc-by-sa-30 = free "CC-BY-SA-3.0" "Creative Commons Attribution Share Alike 3.0";
  cc-by-sa-40 = free "CC-BY-SA-4.0" "Creative Commons Attribution Share Alike 4.0";
  cc0 = free "CC0-1.0" "Creative Commons Zero v1.0 Universal";
  cddl = free "CDDL-1.0" "Common Development and Distribution License 1.0";
  cecill-b = free "CECILL-B" "CeCILL-B Free Software License Agreement";
  cecill-c = free "CECILL-C" "CeCILL-C Free Software License Agreement";
  cecill20 = free "CECILL-2.0" "CeCILL Free Software License Agreement v2.0";
  cecill21 = free "CECILL-2.1" "CeCILL Free Software License Agreement v2.1";
  clArtistic = free "ClArtistic" "Clarified Artistic License";
  cpal10 = free "CPAL-1.0" "Common Public Attribution License 1.0";
  cpl10 = free "CPL-1.0" "Common Public License 1.0";
  curl = free "curl" "curl License";
  doc = free "DOC" "DOC License";
  drl10 = free "DRL-1.0" "Detection Rule License 1.0";
  ecl20 = free "ECL-2.0" "Educational Community License, Version 2.0";
  efl10 = free "EFL-1.0" "Eiffel Forum License v1.0";
  efl20 = free "EFL-2.0" "Eiffel Forum License v2.0";
  elastic20 = unfree "Elastic-2.0" "Elastic License 2.0";
  epl10 = free "EPL-1.0" "Eclipse Public License 1.0";
  epl20 = free "EPL-2.0" "Eclipse Public License 2.0";
  eupl11 = free "EUPL-1.1" "European Union Public License 1.1";
  eupl12 = free "EUPL-1.2" "European Union Public License 1.2";
  fdl11Only = free "GFDL-1.1-only" "GNU Free Documentation License v1.1 only";
  fdl11Plus = free "GFDL-1.1-or-later" "GNU Free Documentation License v1.1 or later";
  fdl12Only = free "GFDL-1.2-only" "GNU Free Documentation License v1.2 only";
  fdl12Plus = free "GFDL-1.2-or-later" "GNU Free Documentation License v1.2 or later";
  fdl13Only = free "GFDL-1.3-only" "GNU Free Documentation License v1.3 only";
  fdl13Plus = free "GFDL-1.3-or-later" "GNU Free Documentation License v1.3 or later";
  fraunhofer-fdk = free "FDK-AAC" "Fraunhofer FDK AAC Codec Library";
  free = named "Unspecified free software license";
  fsl11Asl20 = unfree "FSL-1.1-ALv2" "Functional Source License, Version 1.1, Apache 2.0 Future License";
  fsl11Mit = unfree "FSL-1.1-MIT" "Functional Source License, Version 1.1, MIT Future License";
  ftl = free "FTL" "Freetype Project License";
  gfl = named "GUST Font License";
  gpl1Only = free "GPL-1.0-only" "GNU General Public License v1.0 only";
  gpl1Plus = free "GPL-1.0-or-later" "GNU General Public License v1.0 or later";
  gpl2Only = free "GPL-2.0-only" "GNU General Public License v2.0 only";
  gpl2Plus = free "GPL-2.0-or-later" "GNU General Public License v2.0 or later";
  gpl3Only = free "GPL-3.0-only" "GNU General Public License v3.0 only";
  gpl3Plus = free "GPL-3.0-or-later" "GNU General Public License v3.0 or later";
  hpnd = free "HPND" "Historic Permission Notice and Disclaimer";
  hpndSellVariant = free "HPND-sell-variant" "Historical Permission Notice and Disclaimer - sell variant";
  hippocratic = unfree "Hippocratic-2.1" "Hippocratic License 2.1";
  icu = free "ICU" "ICU";
  ijg = free "IJG" "Independent JPEG Group License";
  imagemagick = free "ImageMagick" "ImageMagick License";
  interbase = free "Interbase-1.0" "Interbase Public License 1.0";
  ipa = free "IPA" "IPA Font License";
  ipl10 = free "IPL-1.0" "IBM Public License v1.0";
  isc = free "ISC" "ISC License";
  lgpl2Only = free "LGPL-2.0-only" "GNU Library General Public License v2 only";
  lgpl2Plus = free "LGPL-2.0-or-later" "GNU Library General Public License v2 or later";
  lgpl21Only = free "LGPL-2.1-only" "GNU Lesser General Public License v2.1 only";
  lgpl21Plus = free "LGPL-2.1-or-later" "GNU Lesser General Public License v2.1 or later";
  lgpl3Only = free "LGPL-3.0-only" "GNU Lesser General Public License v3.0 only";
  lgpl3Plus = free "LGPL-3.0-or-later" "GNU Lesser General Public License v3.0 or later";
  lgpllr = free "LGPLLR" "Lesser General Public License For Linguistic Resources";
  libpng = free "Libpng" "libpng License";
  libpng2 = free "libpng-2.0" "libpng License v2";
  libtiff = free "libtiff" "libtiff License";
  llvm-exception = free "LLVM-exception" "LLVM Exception";
  lppl1 = free "LPPL-1.0" "LaTeX Project Public License v1.0";
  lppl12 = free "LPPL-1.2" "LaTeX Project Public License v1.2";
  lppl13a = free "LPPL-1.3a" "LaTeX Project Public License v1.3a";
  lppl13c = free "LPPL-1.3c" "LaTeX Project Public License v1.3c";
  lpl-102 = free "LPL-1.02" "Lucent Public License v1.02";
  miros = free "MirOS" "MirOS License";
  mit = free "MIT" "MIT License";
  mit-cmu = free "MIT-CMU" "CMU License";
  mit0 = free "MIT-0" "MIT No Attribution";
  mpl10 = free "MPL-1.0" "Mozilla Public License 1.0";
  mpl11 = free "MPL-1.1" "Mozilla Public License 1.1";
  mpl20 = free "MPL-2.0" "Mozilla Public License 2.0";
  mspl = free "MS-PL" "Microsoft Public License";
  mulan-psl2 = free "MulanPSL-2.0" "Mulan Permissive Software License, Version 2";
  nasa13 = unfree "NASA-1.3" "NASA Open Source Agreement 1.3";
  ncsa = free "NCSA" "University of Illinois/NCSA Open Source License";
  nistSoftware = free "NIST-Software" "NIST Software License";
  nlpl = free "NLPL" "No Limit Public License";
  nposl3 = free "NPOSL-3.0" "Non-Profit Open Software License 3.0";
  ofl = free "OFL-1.1" "SIL Open Font License 1.1";
  oml = free "OML" "Open Market License";
  openldap = free "OLDAP-2.8" "Open LDAP Public License v2.8";
  openssl = free "OpenSSL" "OpenSSL License";
  osl2 = free "OSL-2.0" "Open Software License 2.0";
  osl21 = free "OSL-2.1" "Open Software License 2.1";
  osl3 = free "OSL-3.0" "Open Software License 3.0";
  parity70 = free "Parity-7.0.0" "Parity Public License 7.0.0";
  php301 = free "PHP-3.01" "PHP License v3.01";
  postgresql = free "PostgreSQL" "PostgreSQL License";
  publicDomain = named "Public Domain";
  psfl = free "PSF-2.0" "Python Software Foundation License version 2";
  python2 = free "Python-2.0" "Python Software License, Version 2";
  qpl = free "QPL-1.0" "Q Public License 1.0";
  ruby = free "Ruby" "Ruby License";
  sendmail = free "Sendmail" "Sendmail License";
  sfl = named "SIL Font License";
  sgi-b-20 = free "SGI-B-2.0" "SGI Free Software License B v2.0";
  sissl11 = free "SISSL" "Sun Industry Standards Source License v1.1";
  sleepycat = free "Sleepycat" "Sleepycat License";
  smlnj = free "SMLNJ" "Standard ML of New Jersey License";
  sspl = unfree "SSPL-1.0" "Server Side Public License";
  tcltk = free "TCL" "TCL/TK License";
  tost = named "Terms of Service";
  ucd = named "Unicode Character Database License";
  ufl = free "Ubuntu-font-1.0" "Ubuntu Font License 1.0";
  unicode-30 = free "Unicode-3.0" "Unicode License v3";
  unicode-dfs-2015 = free "Unicode-DFS-2015" "Unicode License Agreement - Data Files and Software (2015)";
  unicode-dfs-2016 = free "Unicode-DFS-2016" "Unicode License Agreement - Data Files and Software (2016)";
  unlicense = free "Unlicense" "The Unlicense";
  upl = free "UPL-1.0" "Universal Permissive License";
  vim = free "Vim" "Vim License";
  virtualbox-puel = named "VirtualBox Extension Pack Personal Use and Evaluation License" // { free = false; };
  vsl10 = free "VSL-1.0" "Vovida Software License v1.0";
  w3c = free "W3C" "W3C Software Notice and License";
  watcom = free "Watcom-1.0" "Sybase Open Watcom Public License 1.0";
  wtfpl = free "WTFPL" "Do What The F*ck You Want To Public License";
  wxWindows = free "WXwindows" "wxWindows Library Licence, Version 3.1";
  x11 = free "X11" "X11 License";
  xfig = free "Xfig" "xfig";
  xinetd = free "xinetd" "xinetd License";
  zlib = free "Zlib" "zlib License";
  zpl20 = free "ZPL-2.0" "Zope Public License 2.0";
  zpl21 = free "ZPL-2.1" "Zope Public License 2.1";

  unfree = named "Unfree" // { free = false; };
  unfreeRedistributable = named "Unfree redistributable" // {
    free = false;
    redistributable = true;
  };
  unfreeRedistributableFirmware = named "Unfree redistributable firmware" // {
    free = false;
    redistributable = true;
  };

  # Old names, ambiguous about later versions.
  agpl3 = free "AGPL-3.0" "GNU Affero General Public License v3.0" // { deprecated = true; };
  fdl11 = free "GFDL-1.1" "GNU Free Documentation License v1.1" // { deprecated = true; };
  fdl12 = free "GFDL-1.2" "GNU Free Documentation License v1.2" // { deprecated = true; };
  fdl13 = free "GFDL-1.3" "GNU Free Documentation License v1.3" // { deprecated = true; };
  gpl1 = free "GPL-1.0" "GNU General Public License v1.0" // { deprecated = true; };
  gpl2 = free "GPL-2.0" "GNU General Public License v2.0" // { deprecated = true; };
  gpl3 = free "GPL-3.0" "GNU General Public License v3.0" // { deprecated = true; };
  lgpl2 = free "LGPL-2.0" "GNU Library General Public License v2" // { deprecated = true; };
  lgpl21 = free "LGPL-2.1" "GNU Lesser General Public License v2.1" // { deprecated = true; };
  lgpl3 = free "LGPL-3.0" "GNU Lesser General Public License v3.0" // { deprecated = true; };
}
